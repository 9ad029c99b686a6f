//! The standard's dates and times as digits. The time is passed in; which offset it has is the
//! caller's decision for DE12 and DE13, while DE7 is always UTC.

use super::amount::zero_filled;
use ::time::{OffsetDateTime, UtcOffset};

/// DE7, `MMDDhhmmss`, in UTC (ISO 8583:1987, transmission date and time).
pub fn transmission(now: OffsetDateTime) -> [u8; 10] {
    let utc = now.to_offset(UtcOffset::UTC);
    let date = u64::from(u8::from(utc.month())) * 100 + u64::from(utc.day());
    let (hour, minute, second) = utc.to_hms();
    zero_filled(date * 1_000_000 + clock(hour, minute, second))
}

/// DE12, `hhmmss`, in the offset that the time carries.
pub fn local_time(now: OffsetDateTime) -> [u8; 6] {
    let (hour, minute, second) = now.to_hms();
    zero_filled(clock(hour, minute, second))
}

/// DE13 and DE15, `MMDD`, in the offset that the time carries.
pub fn local_date(now: OffsetDateTime) -> [u8; 4] {
    zero_filled(u64::from(u8::from(now.month())) * 100 + u64::from(now.day()))
}

fn clock(hour: u8, minute: u8, second: u8) -> u64 {
    u64::from(hour) * 10_000 + u64::from(minute) * 100 + u64::from(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2012-09-21 07:32:44 UTC.
    fn moment() -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(1_348_212_764).unwrap()
    }

    #[test]
    fn transmission_time_is_utc_whatever_the_offset() {
        let hanoi = moment().to_offset(UtcOffset::from_hms(7, 0, 0).unwrap());
        assert_eq!(transmission(moment()), *b"0921073244");
        assert_eq!(transmission(hanoi), *b"0921073244");
    }

    #[test]
    fn local_time_and_date_follow_the_offset() {
        let late = moment().to_offset(UtcOffset::from_hms(20, 0, 0).unwrap());
        assert_eq!(local_time(late), *b"033244");
        assert_eq!(local_date(late), *b"0922");
    }
}
