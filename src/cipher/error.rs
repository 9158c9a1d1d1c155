//! Errors in a key, an `Encrypt` or a message.

use thiserror::Error;

/// Why an `EncodingAESKey` is not valid.
///
/// Shows at most one character, and only one that cannot be in a key.
///
/// # Example
///
/// ```
/// use wechat_events::cipher::{EncodingAesKey, KeyError};
///
/// let error = EncodingAesKey::new("abcdefghijklmnop$rstuvwxyz0123456789ABCDEFG").unwrap_err();
/// assert_eq!(error, KeyError::Character { position: 17, found: '$' });
/// assert_eq!(error.to_string(), "character 17 ('$') of EncodingAESKey is not of the base64 alphabet");
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// Not 43 characters, though all of them are base64.
    #[error("EncodingAESKey is {characters} characters long, WeChat's have 43")]
    Length {
        /// Number of characters.
        characters: usize,
    },
    /// A character that is not in standard base64, such as white space, `-` or `_`.
    #[error("character {position} ({found:?}) of EncodingAESKey is not of the base64 alphabet")]
    Character {
        /// Position, counted from 1.
        position: usize,
        /// The character.
        found: char,
    },
    /// The `=` of padded base64, which WeChat's console does not show.
    #[error("EncodingAESKey ends in `=`: WeChat's have 43 characters without it")]
    EqualsSign,
}

impl KeyError {
    /// The code that Tencent's WXBizMsgCrypt returns: -40004, a bad AES key.
    ///
    /// # Example
    ///
    /// ```
    /// use wechat_events::cipher::EncodingAesKey;
    ///
    /// assert_eq!(EncodingAesKey::new("").unwrap_err().number(), -40004);
    /// ```
    #[must_use]
    pub const fn number(&self) -> i32 {
        -40004
    }
}

/// Why an `Encrypt` could not be decrypted, for the log of the account's administrator.
///
/// Contains no secret, but must not go to the network: see [the module](super#what-this-does-not-do).
///
/// # Example: the usual one
///
/// ```
/// use wechat_events::cipher::{EncodingAesKey, OpenError, open, seal_with};
///
/// let theirs = EncodingAesKey::new("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")?;
/// let ours = EncodingAesKey::new("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C")?;
/// let error = open(&ours, "wx0", &seal_with(&theirs, "wx0", b"hello", [0; 16])?).unwrap_err();
/// assert_eq!(error, OpenError::Padding);
/// assert_eq!(error.to_string(), "padding is not PKCS#7 over 32 bytes: is this the right EncodingAESKey?");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// A character that is not in base64, also white space or `=` in the middle of the text.
    #[error("Encrypt is not base64: character {position} is {found:?}")]
    Base64Character {
        /// Position, counted from 1.
        position: usize,
        /// The character.
        found: char,
    },
    /// The last group of four characters is incomplete or has too much padding.
    #[error("Encrypt is not base64: its {characters} characters do not end in a whole group of four: was it cut?")]
    Base64Cut {
        /// Number of characters, without surrounding white space.
        characters: usize,
    },
    /// The last character sets bits beyond the last byte, which no encoder does.
    #[error("Encrypt is not base64: its last character sets bits that belong to no byte")]
    Base64StrayBits,
    /// The decoded bytes are shorter than any envelope, or not a whole number of AES blocks.
    #[error("Encrypt decodes to {bytes} bytes, not to 32 or more in blocks of 16: was it cut?")]
    BlockLength {
        /// Length of the decoded bytes.
        bytes: usize,
    },
    /// The decrypted bytes do not end in valid padding.
    #[error("padding is not PKCS#7 over 32 bytes: is this the right EncodingAESKey?")]
    Padding,
    /// Without its padding it is too short for the 16 random bytes and the length.
    #[error("decrypted to {bytes} bytes, too few for the 20 in front of a message")]
    TooShort {
        /// Length of the decrypted bytes, without the padding.
        bytes: usize,
    },
    /// The message's length points beyond the end.
    #[error("message length {declared} exceeds the {available} bytes that were decrypted")]
    MessageLength {
        /// The message's length in bytes, as the envelope gives it.
        declared: u32,
        /// Number of bytes after the length, without the padding.
        available: usize,
    },
    /// Encrypted for another account than the configured one.
    #[error("encrypted for app id `{}`, but `{configured}` is configured", found.escape_debug())]
    AppId {
        /// The app id in the envelope: its first 64 characters, with `U+FFFD` for what is not UTF-8.
        found: String,
        /// The configured app id.
        configured: String,
    },
}

impl OpenError {
    /// The code that Tencent's WXBizMsgCrypt returns.
    ///
    /// -40010 for base64, -40007 for AES and its padding, -40008 for a plaintext of the wrong shape, -40005 for the
    /// app id.
    ///
    /// # Example
    ///
    /// ```
    /// use wechat_events::cipher::OpenError;
    ///
    /// assert_eq!(OpenError::Padding.number(), -40007);
    /// ```
    #[must_use]
    pub const fn number(&self) -> i32 {
        match self {
            OpenError::AppId { .. } => -40005,
            OpenError::BlockLength { .. } | OpenError::Padding => -40007,
            OpenError::TooShort { .. } | OpenError::MessageLength { .. } => -40008,
            OpenError::Base64Character { .. } | OpenError::Base64Cut { .. } | OpenError::Base64StrayBits => -40010,
        }
    }
}

/// Why a message could not be encrypted.
///
/// # Example
///
/// ```
/// use wechat_events::cipher::SealError;
///
/// let error = SealError::TooLong { bytes: 1 << 32 };
/// assert_eq!(error.to_string(), "message of 4294967296 bytes: its length must fit in 4 bytes");
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealError {
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {reason}")]
    NoRandomBytes {
        /// The system's reason.
        reason: String,
    },
    /// The message's length does not fit in the envelope's 4 bytes.
    #[error("message of {bytes} bytes: its length must fit in 4 bytes")]
    TooLong {
        /// Length of the message.
        bytes: usize,
    },
}

impl SealError {
    /// The code that Tencent's WXBizMsgCrypt returns: -40006, encryption failed.
    ///
    /// # Example
    ///
    /// ```
    /// use wechat_events::cipher::SealError;
    ///
    /// assert_eq!(SealError::TooLong { bytes: 1 << 32 }.number(), -40006);
    /// ```
    #[must_use]
    pub const fn number(&self) -> i32 {
        -40006
    }
}
