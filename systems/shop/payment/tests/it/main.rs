//! The provider as its clients see it: over HTTP, in this process and as a program that is killed.

mod crash;
mod harness;
mod hostile;
mod mischief;
mod once;
mod refunds;
mod webhook;
