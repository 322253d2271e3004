//! Processor time of processes, as Linux counts it; where it does not, there is none to tell.

use std::fs;

/// Ticks of `/proc/<pid>/stat` in a second, on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor seconds of one process, its threads included, its children not.
pub(crate) fn of_process(pid: u32) -> Option<f64> {
    let stat = Stat::read(pid)?;
    Some(seconds(stat.own))
}

/// Processor seconds of a process and of its children, those that ended included once they were waited for.
pub(crate) fn of_family(pid: u32) -> Option<f64> {
    let parent = Stat::read(pid)?;
    let mut ticks = parent.own + parent.ended;
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let child = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(stat) = child.and_then(Stat::read)
            && stat.parent == pid
        {
            ticks += stat.own + stat.ended;
        }
    }
    Some(seconds(ticks))
}

/// The machine's load of the last minute.
pub(crate) fn machine_load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg")
        .ok()?
        .split(' ')
        .next()?
        .parse()
        .ok()
}

struct Stat {
    parent: u32,
    /// Ticks in user and kernel mode.
    own: u64,
    /// The same of children that were waited for.
    ended: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before it may hold spaces and parentheses.
        let fields: Vec<&str> = text.rsplit_once(") ")?.1.split(' ').collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Self {
            parent: u32::try_from(number(1)?).ok()?,
            own: number(11)? + number(12)?,
            ended: number(13)? + number(14)?,
        })
    }
}

fn seconds(ticks: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a few hours of ticks")]
    let ticks = ticks as f64;
    ticks / TICKS_PER_SECOND
}
