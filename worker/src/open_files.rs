//! How many copies the open files allow that this process may have.

/// Files besides those of copies: the coordinator's connections, a database, listeners, logs.
const RESERVED: u64 = 128;
/// Open files of a copy: a connection to either store.
const OF_A_COPY: u64 = 2;

/// The most copies at once, or `None` where the system does not say how many files may be open.
pub(crate) fn copies_max() -> Option<u32> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    files_max(&limits).map(copies_of)
}

fn copies_of(files: u64) -> u32 {
    let copies = files.saturating_sub(RESERVED) / OF_A_COPY;
    u32::try_from(copies).unwrap_or(u32::MAX).max(1)
}

/// The soft limit in `/proc/self/limits`; `None` for one that is unlimited.
fn files_max(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_copy_has_two_files_and_others_have_some_left() {
        let limits = |soft: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max processes             127000               127000               processes \n\
                 Max open files            {soft}                 524288               files     \n"
            )
        };
        for (soft, copies) in [("1024", 448), ("256", 64), ("100", 1), ("1048576", 524_224)] {
            let files = files_max(&limits(soft)).unwrap();
            assert_eq!(copies_of(files), copies, "{soft}");
        }
        assert_eq!(files_max(&limits("unlimited")), None);
        assert_eq!(files_max("what another system says"), None);
    }
}
