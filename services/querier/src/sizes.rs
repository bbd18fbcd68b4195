//! Sizes as Loki's limits print them.

/// `5.0 GiB`, `93 MiB`, `17 B`: one digit behind the point below ten.
pub(crate) fn iec(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 10 {
        return format!("{bytes} B");
    }
    let mut unit = 0;
    let mut value = bytes as f64;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    // Rounded to one digit first, so that 9.96 is 10 and not 10.0.
    let value = (value * 10.0 + 0.5).floor() / 10.0;
    if value < 10.0 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_loki_prints_them() {
        for (bytes, text) in [
            (0, "0 B"),
            (9, "9 B"),
            (10, "10 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (10 << 10, "10 KiB"),
            (5 << 30, "5.0 GiB"),
            (150 << 30, "150 GiB"),
            (10_445, "10 KiB"),
            (u64::MAX, "16 EiB"),
        ] {
            assert_eq!(iec(bytes), text, "{bytes}");
        }
    }
}
