//! How WeChat judges answers to pushes that require a code or an opinion.

use std::borrow::Cow;

use super::verdict::{Reason, begin, filled, number, read, unexpected};
use super::{Request, WeChat};
use crate::event::{Event, Takes};
use crate::fields::Nodes;

impl WeChat {
    /// `Err`: not the expected answer.
    pub(super) fn code(&self, request: &Request, event: &Event<'_>, body: &[u8]) -> Result<(), Reason> {
        let json = request.content_type == "application/json";
        if matches!(body, b"" | b"success") {
            let (name, found) = (event.name().to_owned(), begin(body));
            return Err(match event.takes() {
                Takes::IosRefund => Reason::TakesOpinion { name, found },
                _ => Reason::TakesCode { name, found },
            });
        }
        let message = match self.opened(body, json) {
            Ok((_, true)) if event.is_mini_game() => return Err(Reason::SealedCode),
            Ok((message, _)) => message,
            // Sources differ on whether the answer to a payment must be encrypted.
            Err(Reason::NotSealed) => Cow::Borrowed(body),
            Err(reason) => return Err(reason),
        };
        let mut nodes = Nodes::new();
        let fields = read(&message, json, &mut nodes)?;
        let root = fields.root();
        if event.takes() == Takes::IosRefund {
            let opinion = filled(root, "result_code|IosRefundQueryResponse/result_code")?;
            if !matches!(number("result_code", &opinion)?, 0 | 1) {
                return Err(unexpected("result_code", &opinion, "0 or 1"));
            }
            return filled(root, "evidence|IosRefundQueryResponse/evidence").map(|_| ());
        }
        match number("ErrCode", &filled(root, "ErrCode")?)? {
            0 => Ok(()),
            err_code => {
                let err_msg = begin(filled(root, "ErrMsg").unwrap_or_default().as_bytes());
                Err(Reason::Code { err_code, err_msg })
            }
        }
    }
}
