//! SHA-1 signatures over sorted parts, compared in constant time.
//!
//! # Why timestamp and nonce are restricted
//! The parts are joined without a separator, so a valid signature covers their concatenation, but not where one part
//! ends and the next begins. `msg_signature` joins four:
//!
//! ```text
//! token   timestamp   nonce        Encrypt                      in the order of their bytes
//! 0QDG6e  1714037059  486452656    hO2QdV… 64 characters …9fXc  as WeChat sent it
//! 0QDG6e  1714037059  486452656hO2QdV… 64 characters  …9fXc     as an attacker would send it
//! ```
//!
//! Both have the same signature, and `Encrypt` without its front is still a ciphertext: its first block decrypts to the
//! 16 random bytes that nobody checks, and an attacker who wrote the text after them controls the rest. What is cut off
//! must be whole AES blocks and whole base64 groups, so 64 characters, or 128 … A timestamp and a nonce of 1 to 32
//! bytes cannot take up 64 characters more than they had, nor give 64 to `Encrypt`. Without `=` they cannot take its
//! padding either, which would allow cuts at other places.
//!
//! The token is the same in both, and WeChat's console allows 3 to 32 letters and digits for it. If it also occurs in
//! `Encrypt`, the parts can swap places around it, which moves `Encrypt` by less than 64 characters: it then decrypts
//! to noise, which has no app id. One weakness remains: timestamp and nonce can exchange characters, so the time in a
//! request is not authenticated.

use sha1::{Digest, Sha1};

/// Longest timestamp or nonce in bytes: two of these cannot take up 64 bytes of `Encrypt`. WeChat's have up to ten.
pub(crate) const PART: usize = 32;

/// Whether a text is allowed in a request: letters, digits, and punctuation that base64 does not use.
pub(crate) fn has_form(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

/// A SHA-1 digest in lower-case hexadecimal.
pub(crate) type Hex = [u8; 40];

/// Whether `signature` is valid for this token, timestamp and nonce.
///
/// The valid one is the SHA-1, in lower-case hexadecimal, of the other three sorted byte by byte and joined. The
/// comparison takes the same time wherever the first wrong character is. With an empty token nothing is valid: the
/// result is `false`.
///
/// It is also `false` if timestamp or nonce is not 1 to 32 ASCII letters, digits, `-`, `.` and `_`, whatever the
/// signature. [`Endpoint`](crate::Endpoint#why-captured-traffic-cannot-forge-a-push) explains why, and checks whole
/// requests; use this function if the signature is all you need.
///
/// Source: <https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Access_Overview.html>
///
/// ```
/// use wechat_events::verify_signature;
///
/// let signature = "899cf89e464efb63f54ddac96b0a0a235f53aa78";
/// assert!(verify_signature("AAAAA", "1714037059", "486452656", signature));
/// assert!(!verify_signature("AAAAB", "1714037059", "486452656", signature));
/// ```
#[doc(alias("验签", "checkSignature"))]
#[must_use]
pub fn verify_signature(token: &str, timestamp: &str, nonce: &str, signature: &str) -> bool {
    !token.is_empty()
        && [timestamp, nonce].iter().all(|part| has_form(part, PART))
        && same(&sign([token, timestamp, nonce]), signature)
}

/// The signature of the parts, sorted first.
pub(crate) fn sign<const N: usize>(mut parts: [&str; N]) -> Hex {
    parts.sort_unstable();
    let mut sha1 = Sha1::new();
    for part in parts {
        sha1.update(part);
    }
    let mut text = [0; 40];
    // Cannot fail: 20 bytes are 40 digits. If it did, the zero bytes would match no signature in a query.
    let _ = hex::encode_to_slice(sha1.finalize(), &mut text);
    text
}

/// Compares in a time that does not depend on where the two differ.
pub(crate) fn same(right: &Hex, given: &str) -> bool {
    let given = given.as_bytes();
    given.len() == right.len()
        && std::hint::black_box(right.iter().zip(given).fold(0, |differing, (a, b)| differing | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_sorted_as_bytes_not_as_numbers() {
        assert_eq!(sign(["b", "10", "9"]), sign(["9", "b", "10"]));
        assert_eq!(&sign(["b", "10", "9"]), hex::encode(Sha1::digest("109b")).as_bytes());
    }

    #[test]
    fn an_empty_token_verifies_nothing() {
        let signature = hex::encode(Sha1::digest("12"));
        assert!(!verify_signature("", "1", "2", &signature));
    }

    #[test]
    fn a_timestamp_or_nonce_without_the_form_is_refused_though_it_is_signed() {
        let longest = "7".repeat(32);
        for (timestamp, nonce, accepted) in [
            ("1714037059", "486452656", true),
            ("1714037059", "aZ-._9", true),
            (&longest, &longest, true),
            ("1714037059", "", false),
            ("", "486452656", false),
            ("1714037059", &format!("{longest}7"), false),
            (&format!("{longest}7"), "486452656", false),
            ("1714037059", "4864526=", false),
            ("1714037059", "4+6/2", false),
            ("1714037059", "4 6", false),
            ("1714037059", "四", false),
        ] {
            let signature = sign(["token", timestamp, nonce]);
            let signature = str::from_utf8(&signature).unwrap();
            assert_eq!(verify_signature("token", timestamp, nonce, signature), accepted, "{timestamp} {nonce}");
        }
    }

    #[test]
    fn upper_case_longer_and_shorter_signatures_are_refused() {
        let right = "899cf89e464efb63f54ddac96b0a0a235f53aa78";
        for wrong in [right.to_uppercase(), format!("{right}0"), right[1..].into(), String::new()] {
            assert!(!verify_signature("AAAAA", "1714037059", "486452656", &wrong), "{wrong:?}");
        }
    }
}
