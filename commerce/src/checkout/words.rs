//! What customers read on the pages: Vietnamese, a heading and a sentence or two for each stage and fault.
//!
//! No text says more than is known, and each says what to do.

use super::{
    link::LinkFault,
    stage::{Failure, Stage},
};
use crate::{moment::UnixMs, money::Vnd};

/// A heading and what follows it.
pub(super) type Words = (&'static str, &'static str);

/// Of a stage in which the customer has nothing to fill in.
pub(super) fn of_stage(stage: Stage) -> Words {
    match stage {
        Stage::Phone => ("Thanh toán đơn hàng", ""),
        Stage::Code => ("Nhập mã xác nhận", ""),
        Stage::Over => (
            "Phiên thanh toán đã hết hạn",
            "Quý khách chưa bị trừ tiền. Hãy quay lại cửa hàng và đặt thanh toán lại.",
        ),
        Stage::Tries => (
            "Đã thử quá nhiều số điện thoại",
            "Quý khách chưa bị trừ tiền. Hãy quay lại cửa hàng và chọn cách thanh toán khác.",
        ),
        Stage::Waiting => (
            "Đang chờ ngân hàng",
            "Thường chỉ mất vài giây. Quý khách có thể chờ ở trang này; kết quả cũng được gửi bằng tin nhắn.",
        ),
        Stage::Unknown => (
            "Ngân hàng chưa trả lời",
            "Chúng tôi đang hỏi lại ngân hàng. Quý khách không bị trừ tiền hai lần, và không cần thanh toán \
             lại. Kết quả sẽ hiện ở đây và được gửi bằng tin nhắn.",
        ),
        Stage::Reversing => (
            "Ngân hàng chưa xác nhận, giao dịch đang được hủy",
            "Nếu tiền đã bị trừ thì đang được hoàn về tài khoản. Chúng tôi hỏi ngân hàng cho đến khi có kết \
             quả; quý khách không bị trừ tiền hai lần.",
        ),
        Stage::Review => (
            "Chưa rõ kết quả",
            "Nhân viên đang kiểm tra với ngân hàng. Xin đừng thanh toán lại đơn hàng này. Kết quả sẽ được \
             gửi bằng tin nhắn.",
        ),
        Stage::Paid => (
            "Thanh toán thành công",
            "Cửa hàng đã được báo và sẽ giao hàng cho quý khách.",
        ),
        Stage::Refunding => (
            "Cửa hàng đang hoàn tiền",
            "Ngân hàng đang xử lý. Kết quả sẽ được gửi bằng tin nhắn.",
        ),
        Stage::Refunded => (
            "Đã hoàn tiền",
            "Toàn bộ số tiền đã được hoàn về tài khoản của quý khách.",
        ),
        Stage::Failed(failure) => of_failure(failure),
    }
}

fn of_failure(failure: Failure) -> Words {
    match failure {
        Failure::Cancelled => (
            "Quý khách đã hủy thanh toán",
            "Quý khách không bị trừ tiền.",
        ),
        Failure::Expired => (
            "Đã hết thời gian xác nhận",
            "Quý khách không bị trừ tiền. Muốn mua, hãy quay lại cửa hàng và đặt lại.",
        ),
        Failure::Declined => (
            "Ngân hàng từ chối giao dịch",
            "Quý khách không bị trừ tiền. Hãy kiểm tra số dư hoặc hạn mức, rồi quay lại cửa hàng đặt lại.",
        ),
        Failure::Reversed => (
            "Thanh toán không thành công",
            "Ngân hàng xác nhận đã hủy giao dịch; tiền không bị trừ. Hãy quay lại cửa hàng để đặt lại.",
        ),
        Failure::Other => (
            "Thanh toán không thành công",
            "Quý khách không bị trừ tiền. Hãy quay lại cửa hàng để đặt lại.",
        ),
    }
}

/// Of a link that is not followed.
pub(super) fn of_link(fault: LinkFault) -> Words {
    match fault {
        LinkFault::Time => (
            "Liên kết thanh toán đã hết hạn",
            "Hãy quay lại cửa hàng và bấm thanh toán lần nữa. Quý khách chưa bị trừ tiền.",
        ),
        LinkFault::Off => (
            "Cửa hàng tạm ngừng nhận thanh toán",
            "Hãy chọn cách thanh toán khác tại cửa hàng. Quý khách chưa bị trừ tiền.",
        ),
        LinkFault::Amount => (
            "Số tiền không được chấp nhận",
            "Cửa hàng không được thu số tiền này. Hãy báo cho cửa hàng. Quý khách chưa bị trừ tiền.",
        ),
        LinkFault::OtherAmount => (
            "Đơn hàng đã có với số tiền khác",
            "Hãy quay lại cửa hàng và đặt một đơn hàng mới.",
        ),
        LinkFault::Length
        | LinkFault::Unsigned
        | LinkFault::Field(_)
        | LinkFault::Merchant
        | LinkFault::Signature
        | LinkFault::ReturnUrl => (
            "Liên kết thanh toán không hợp lệ",
            "Hãy quay lại cửa hàng và bấm thanh toán lần nữa. Nếu vẫn gặp trang này, hãy báo cho cửa hàng. \
             Quý khách chưa bị trừ tiền.",
        ),
    }
}

/// Of a page that is not there any more.
pub(super) const GONE: Words = (
    "Trang này không còn dùng được",
    "Có thể trang đã được mở lại ở nơi khác. Hãy quay lại cửa hàng và bấm thanh toán lần nữa; quý khách \
     không bị trừ tiền hai lần.",
);

/// Of a form from elsewhere.
pub(super) const FORM: Words = (
    "Yêu cầu không hợp lệ",
    "Hãy quay lại trang thanh toán, tải lại trang và thử lần nữa.",
);

/// Of a merchant who has nowhere to return to.
pub(super) const RETURN: Words = (
    "Không thể tự quay lại cửa hàng",
    "Hãy tự mở lại trang của cửa hàng. Kết quả thanh toán không thay đổi.",
);

/// Of too many calls.
pub(super) const TOO_OFTEN: Words = (
    "Quá nhiều yêu cầu",
    "Hãy chờ một phút rồi tải lại trang này.",
);

/// Of a busy service.
pub(super) const BUSY: Words = (
    "Hệ thống đang bận",
    "Hãy tải lại trang này sau ít giây. Quý khách không bị trừ tiền hai lần.",
);

/// Of a fault of ours.
pub(super) const OURS: Words = (
    "Hệ thống gặp sự cố",
    "Xin đừng thanh toán lại ngay. Hãy tải lại trang này sau ít phút để xem kết quả.",
);

/// What was wrong with what a customer has filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    /// It is no phone number.
    Phone,
    /// The phone cannot pay.
    Refused,
    /// It is no code.
    CodeForm,
    /// It is another code.
    Code {
        /// Tries that are left.
        tries_left: i64,
    },
    /// There were too many.
    Locked,
    /// It is no code any more.
    Gone,
    /// No code is sent now.
    NotSent,
}

impl Wrong {
    pub(super) fn words(self) -> String {
        match self {
            Self::Phone => "Số điện thoại chưa đúng. Ví dụ: 0912\u{a0}345\u{a0}678.".to_owned(),
            // One text for all reasons: another would tell a stranger about the phone.
            Self::Refused => {
                "Chưa thể thanh toán bằng số điện thoại này. Hãy kiểm tra lại số, hoặc thử lại \
                 sau ít phút. Nếu vẫn không được, hãy liên hệ ngân hàng của quý khách."
                    .to_owned()
            }
            Self::CodeForm => "Mã xác nhận gồm 6 chữ số.".to_owned(),
            Self::Code { tries_left } => {
                format!("Mã xác nhận chưa đúng. Quý khách còn {tries_left} lần thử.")
            }
            Self::Locked => {
                "Đã nhập sai quá nhiều lần. Hãy chờ ít phút rồi thử lại từ cửa hàng.".to_owned()
            }
            Self::Gone => "Mã này không còn dùng được. Hãy bấm “Gửi lại mã”.".to_owned(),
            Self::NotSent => "Chưa thể gửi mã mới. Hãy thử lại sau ít phút.".to_owned(),
        }
    }
}

/// As `150.000 đ`, which no line breaks apart.
pub(super) fn amount(amount: Vnd) -> String {
    let digits = amount.dong().to_string();
    let mut written = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            written.push('.');
        }
        written.push(digit);
    }
    written + "\u{a0}đ"
}

/// As `14:05`, in Vietnam.
pub(super) fn clock_time(at: UnixMs) -> String {
    const VIETNAM_MIN: i64 = 7 * 60;
    let minutes = (at.0.div_euclid(60_000) + VIETNAM_MIN).rem_euclid(24 * 60);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_times_are_written_as_in_vietnam() {
        let written = |dong| amount(Vnd::new(dong).unwrap());
        let all = [1, 999, 1_000, 150_000, 1_234_567].map(written);
        let wanted = ["1 đ", "999 đ", "1.000 đ", "150.000 đ", "1.234.567 đ"];
        assert_eq!(all, wanted.map(|text| text.replace(' ', "\u{a0}")));
        // 2027-01-15T08:00:00Z.
        assert_eq!(clock_time(UnixMs(1_800_000_000_000)), "15:00");
        assert_eq!(
            clock_time(UnixMs(1_800_000_000_000 + 9 * 3_600_000)),
            "00:00"
        );
    }

    #[test]
    fn what_nobody_knows_is_never_called_paid_or_failed() {
        for stage in [
            Stage::Waiting,
            Stage::Unknown,
            Stage::Reversing,
            Stage::Review,
        ] {
            let (heading, text) = of_stage(stage);
            for guess in ["thành công", "không thành công", "không bị trừ tiền."] {
                assert!(
                    !heading.contains(guess) && !text.contains(guess),
                    "{stage:?}"
                );
            }
        }
    }
}
