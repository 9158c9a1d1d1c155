//! Is it WeChat? SHA-1 over the sorted parts, compared in constant time.

use sha1::{Digest, Sha1};

/// The lower-case hexadecimal text of a SHA-1 digest.
pub(crate) type Hex = [u8; 40];

/// Whether `signature` is WeChat's for this token, timestamp and nonce.
///
/// The right one is the SHA-1, in lower-case hexadecimal, of the three others sorted byte by byte and joined.
/// The comparison takes the same time wherever the first wrong character stands. An empty token signs nothing:
/// the answer is `false`.
///
/// [`Endpoint`](crate::Endpoint) does this and the rest of a request; this function is for those who need nothing else.
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
#[must_use]
pub fn verify_signature(token: &str, timestamp: &str, nonce: &str, signature: &str) -> bool {
    !token.is_empty() && same(&sign([token, timestamp, nonce]), signature)
}

/// The signature of the parts, which are sorted first.
pub(crate) fn sign<const N: usize>(mut parts: [&str; N]) -> Hex {
    parts.sort_unstable();
    let mut sha1 = Sha1::new();
    for part in parts {
        sha1.update(part);
    }
    let mut text = [0; 40];
    // Cannot fail: 20 bytes are 40 digits. Were it to, the zero bytes would match no signature that a query can carry.
    let _ = hex::encode_to_slice(sha1.finalize(), &mut text);
    text
}

/// Compares without telling by its time where the two differ.
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
        assert!(verify_signature("1", "2", "", &signature));
        assert!(!verify_signature("", "1", "2", &signature));
    }

    #[test]
    fn upper_case_longer_and_shorter_signatures_are_refused() {
        let right = "899cf89e464efb63f54ddac96b0a0a235f53aa78";
        for wrong in [right.to_uppercase(), format!("{right}0"), right[1..].into(), String::new()] {
            assert!(!verify_signature("AAAAA", "1714037059", "486452656", &wrong), "{wrong:?}");
        }
    }
}
