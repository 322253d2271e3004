//! The `freehold` command.

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    freehold_ops::cli::run(freehold_ops::cli::Arguments::parse())
}
