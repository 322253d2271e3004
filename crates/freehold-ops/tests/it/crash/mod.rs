//! The crash rig, on the bank of `examples/bank`: a clean run finds nothing, and what is wrong is found by its name.
//!
//! `FREEHOLD_PROVE=1` chooses the long runs, `FREEHOLD_SEED` repeats what a run printed.

// Fixture
mod bank;
mod scratches;

// Subjects
mod judgement;
mod proxy;
mod runs;
mod shop;
