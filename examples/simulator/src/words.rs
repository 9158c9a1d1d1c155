//! Texts in both languages: terminals show the English one, the page of `chat` the one of its browser.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

/// A text in English and in Chinese; `Display` is the English one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Words {
    pub en: Cow<'static, str>,
    pub zh: Cow<'static, str>,
}

impl Words {
    pub const fn new(en: &'static str, zh: &'static str) -> Words {
        Words { en: Cow::Borrowed(en), zh: Cow::Borrowed(zh) }
    }

    pub fn made(en: impl Into<String>, zh: impl Into<String>) -> Words {
        Words { en: Cow::Owned(en.into()), zh: Cow::Owned(zh.into()) }
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.en)
    }
}
