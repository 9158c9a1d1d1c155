//! An arbitrary `Encrypt`: no panic, and what decrypts is what was encrypted.
//!
//! The input is used in three ways: as the text of `Encrypt`, as its decoded bytes, and as the decrypted plaintext,
//! which reaches the envelope's inner parts past the cipher.
#![no_main]

use aes::cipher::{BlockModeEncrypt, KeyIvInit, block_padding::NoPadding};
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine};
use libfuzzer_sys::fuzz_target;
use wechat_events::cipher::{EncodingAesKey, open, seal_with};

/// All bits zero, so that the target needs no decoder of keys.
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const APP_ID: &str = "wxba5fad812f8e6fb9";

fuzz_target!(|input: &[u8]| {
    let key = EncodingAesKey::new(KEY).unwrap();
    let text = String::from_utf8_lossy(input);
    let _ = open(&key, APP_ID, &text);
    let _ = open(&key, APP_ID, &BASE64_STANDARD_NO_PAD.encode(input));
    if let Err(error) = open(&key, APP_ID, &BASE64_STANDARD.encode(input)) {
        assert!(!error.to_string().contains(char::is_control), "{error}");
    }

    // The plaintext: random bytes, a length, a message, an app id, a padding, each arbitrary.
    let whole = input.len() / 16 * 16;
    let mut block = input[..whole].to_vec();
    let cipher = cbc::Encryptor::<aes::Aes256>::new(&[0; 32].into(), &[0; 16].into());
    let sealed = cipher.encrypt_padded::<NoPadding>(&mut block, whole).unwrap();
    if let Ok(opened) = open(&key, APP_ID, &BASE64_STANDARD.encode(&*sealed)) {
        let random = input[..16].try_into().unwrap();
        let again = seal_with(&key, APP_ID, opened.message(), random).unwrap();
        assert_eq!(open(&key, APP_ID, &again).unwrap().message(), opened.message());
        assert_eq!(&input[20..20 + opened.message().len()], opened.message());
    }

    let random = std::array::from_fn(|index| input.get(index).copied().unwrap_or_default());
    let sealed = seal_with(&key, &text, input, random).unwrap();
    assert_eq!(open(&key, &text, &sealed).unwrap().into_message(), input);
});
