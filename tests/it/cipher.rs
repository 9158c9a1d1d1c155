//! The envelope: published vectors both ways, every length and padding, every bad input with its exact error.

use std::collections::HashSet;
use std::thread;

use aes::cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use serde_json::Value;
use wechat_events::cipher::{EncodingAesKey, KeyError, OpenError, SealError, open, seal, seal_with};

use crate::wire::sign;

const KEY: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";
const APP_ID: &str = "wxb11529c136998cb6";
const RANDOM: [u8; 16] = *b"aaaabbbbccccdddd";

fn key() -> EncodingAesKey {
    EncodingAesKey::new(KEY).unwrap()
}

/// `KEY` as bytes: its last character is `G`, 000110, so that its spare bits are 10.
fn raw_key() -> [u8; 32] {
    STANDARD.decode(format!("{}E=", &KEY[..42])).unwrap().try_into().unwrap()
}

/// `Encrypt` of any plaintext, even one that `seal` would not write.
fn encrypt(plaintext: &[u8]) -> String {
    let key = raw_key();
    let mut buffer = plaintext.to_vec();
    let (blocks, rest) = Array::slice_as_chunks_mut(&mut buffer);
    assert!(rest.is_empty());
    cbc::Encryptor::<aes::Aes256>::new(&Array(key), Array::slice_as_array(&key[..16]).unwrap()).encrypt_blocks(blocks);
    STANDARD.encode(&buffer)
}

/// The plaintext that `seal` wrote, with its padding.
fn decrypt(encrypt: &str) -> Vec<u8> {
    let key = raw_key();
    let mut buffer = STANDARD.decode(encrypt).unwrap();
    let (blocks, _) = Array::slice_as_chunks_mut(&mut buffer);
    cbc::Decryptor::<aes::Aes256>::new(&Array(key), Array::slice_as_array(&key[..16]).unwrap()).decrypt_blocks(blocks);
    buffer
}

/// Head, message and app id as given, with right padding.
fn padded(length: u32, rest: &[u8]) -> Vec<u8> {
    let mut plaintext = [&RANDOM[..], &length.to_be_bytes(), rest].concat();
    let padding = 32 - plaintext.len() % 32;
    plaintext.resize(plaintext.len() + padding, u8::try_from(padding).unwrap());
    plaintext
}

fn vectors() -> Vec<Value> {
    serde_json::from_str(include_str!("../vectors/crypto.json")).unwrap()
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap_or_else(|| panic!("{} has no {name}", vector["name"]))
}

fn msg_signature(vector: &Value) -> String {
    sign(&["token", "timestamp", "nonce", "cipher"].map(|name| text(vector, name)))
}

#[test]
fn every_vector_opens_and_is_sealed_again_to_the_same_text() {
    let mut checked = Vec::new();
    let vectors = vectors();
    for vector in vectors.iter().filter(|vector| vector["check"]["pad_ok"] == true) {
        let key = EncodingAesKey::new(text(vector, "key")).unwrap();
        let (app_id, cipher, check) = (text(vector, "id"), text(vector, "cipher"), &vector["check"]);
        let opened = open(&key, app_id, cipher).unwrap();
        assert_eq!(opened.message(), text(check, "plain").as_bytes(), "{}", vector["name"]);
        let random = text(check, "random").as_bytes().try_into().unwrap();
        assert_eq!(seal_with(&key, app_id, opened.message(), random).unwrap(), cipher, "{}", vector["name"]);
        checked.push(&text(vector, "name")[..3]);
    }
    assert_eq!(checked, ["V01", "V02", "V03", "V05", "V10", "V15", "V18"]);
}

#[test]
fn the_vectors_msg_signatures_are_as_stated() {
    for vector in vectors().iter().filter(|vector| vector["msg_signature"].is_string()) {
        let stated = vector["check"]["msg_signature_ok"].as_bool().unwrap();
        assert_eq!(msg_signature(vector) == text(vector, "msg_signature"), stated, "{}", vector["name"]);
    }
}

#[test]
fn v19_is_refused() {
    let vectors = vectors();
    let v19 = vectors.iter().find(|vector| text(vector, "name").starts_with("V19")).unwrap();
    let key = EncodingAesKey::new(text(v19, "key")).unwrap();
    assert_ne!(msg_signature(v19), text(v19, "msg_signature"));
    assert_eq!(open(&key, text(v19, "id"), text(v19, "cipher")), Err(OpenError::Padding));
}

#[test]
fn every_padding_from_1_to_32_is_written_and_read() {
    let key = key();
    for length in 0..64 {
        let message = vec![b'm'; length];
        let sealed = seal(&key, APP_ID, &message).unwrap();
        let plaintext = decrypt(&sealed);
        let padding = 32 - (20 + length + APP_ID.len()) % 32;
        assert_eq!(plaintext.len() % 32, 0);
        assert_eq!(plaintext[plaintext.len() - padding..], vec![u8::try_from(padding).unwrap(); padding]);
        assert_eq!(plaintext[16..20], u32::try_from(length).unwrap().to_be_bytes());
        assert_eq!(open(&key, APP_ID, &sealed).unwrap().into_message(), message);
    }
}

#[test]
fn padding_is_accepted_only_if_it_is_all_there() {
    let key = key();
    let body = [&RANDOM[..], &[0, 0, 0, 0], b"w"].concat(); // 21 bytes and 11 or 43 of padding
    for last in 0..=255 {
        let mut plaintext = body.clone();
        plaintext.resize(32, 11);
        plaintext[31] = last;
        let expected = if last == 11 { Ok(()) } else { Err(OpenError::Padding) };
        // 1 is right padding too, over a longer app id: the ten bytes before it belong to that.
        let expected = if last == 1 {
            Err(OpenError::AppId { found: "w".to_owned() + &"\u{b}".repeat(10), configured: "w".to_owned() })
        } else {
            expected
        };
        assert_eq!(open(&key, "w", &encrypt(&plaintext)).map(drop), expected, "last byte {last}");
    }
    for padding in 1..=32_u8 {
        let content = 64 - usize::from(padding);
        let mut plaintext = [&RANDOM[..], &[0, 0, 0, 0], &vec![b'w'; content - 20]].concat();
        plaintext.resize(64, padding);
        let app_id = "w".repeat(content - 20);
        assert!(open(&key, &app_id, &encrypt(&plaintext)).is_ok());
        for wrong in content..63 {
            let mut plaintext = plaintext.clone();
            plaintext[wrong] ^= 0x80;
            assert_eq!(open(&key, &app_id, &encrypt(&plaintext)), Err(OpenError::Padding), "{padding} {wrong}");
        }
    }
    for padding in [0, 33, 34, 40, 64, 127, 128, 129, 161, 255] {
        assert_eq!(open(&key, APP_ID, &encrypt(&[padding; 64])), Err(OpenError::Padding), "{padding}");
    }
}

#[test]
fn an_envelope_padded_to_16_opens_at_every_length() {
    for length in 0..64_u32 {
        let message = vec![b'm'; usize::try_from(length).unwrap()];
        let mut plaintext = [&RANDOM[..], &length.to_be_bytes(), &message, APP_ID.as_bytes()].concat();
        let padding = 16 - plaintext.len() % 16;
        plaintext.resize(plaintext.len() + padding, u8::try_from(padding).unwrap());
        assert_eq!(open(&key(), APP_ID, &encrypt(&plaintext)).unwrap().message(), message);
    }
}

#[test]
fn an_encrypt_cut_at_any_character_is_refused_with_the_reason() {
    let sealed = seal_with(&key(), APP_ID, &[b'm'; 100], RANDOM).unwrap();
    for length in 0..sealed.len() {
        let error = open(&key(), APP_ID, &sealed[..length]).unwrap_err();
        let bytes = length / 4 * 3;
        let expected = match length % 4 {
            0 if bytes < 32 || bytes % 16 != 0 => OpenError::BlockLength { bytes },
            0 => OpenError::Padding,
            _ => OpenError::Base64Cut { characters: length },
        };
        assert_eq!(error, expected, "cut at {length}");
    }
}

#[test]
fn no_flipped_bit_of_encrypt_opens_to_the_same_message() {
    let key = key();
    let message = b"<xml><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[hello]]></Content></xml>";
    let sealed = seal_with(&key, APP_ID, message, RANDOM).unwrap();
    let (mut refused, mut changed) = (0, 0);
    for bit in 0..sealed.len() * 8 {
        let mut bytes = sealed.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let Ok(text) = String::from_utf8(bytes) else { continue };
        match open(&key, APP_ID, &text) {
            Err(_) => refused += 1,
            Ok(opened) => {
                assert_ne!(opened.message(), message, "bit {bit}");
                changed += 1;
            }
        }
    }
    // CBC is malleable: these only msg_signature catches.
    assert!(changed > 0 && refused > 0, "refused {refused}, changed {changed}");
}

#[test]
fn all_four_patterns_of_spare_bits_are_the_same_key() {
    let sealed = seal_with(&key(), APP_ID, b"hello", RANDOM).unwrap();
    for last in ["E", "F", "G", "H"] {
        let key = EncodingAesKey::new(&format!("{}{last}", &KEY[..42])).unwrap();
        assert_eq!(seal_with(&key, APP_ID, b"hello", RANDOM).unwrap(), sealed);
        assert_eq!(open(&key, APP_ID, &sealed).unwrap().message(), b"hello");
    }
    let other = EncodingAesKey::new(&format!("{}I", &KEY[..42])).unwrap();
    assert_eq!(open(&other, APP_ID, &sealed), Err(OpenError::Padding));
}

#[test]
fn a_key_clones_and_shows_nothing() {
    let key = key();
    let sealed = seal(&key, APP_ID, b"hello").unwrap();
    assert_eq!(format!("{key:?} {:?}", Some(&key)), "EncodingAesKey(..) Some(EncodingAesKey(..))");
    let opened = open(&key.clone(), APP_ID, &sealed).unwrap();
    assert_eq!(format!("{opened:?}"), "Opened(5 bytes)");
}

#[track_caller]
fn bad_key(key: &str, error: KeyError, message: &str) {
    let found = key.parse::<EncodingAesKey>().unwrap_err();
    assert_eq!((found.to_string().as_str(), &found), (message, &error));
    assert_eq!(found.number(), -40004);
}

#[test]
fn a_bad_key_is_told_what_is_wrong_and_where() {
    for characters in [0, 1, 41, 42, 44, 45, 64, 86] {
        let message = format!("EncodingAESKey is {characters} characters long, WeChat's have 43");
        bad_key(&"A".repeat(characters), KeyError::Length { characters }, &message);
    }
    let equals = "EncodingAESKey ends in `=`: WeChat's have 43 characters without it";
    bad_key(&format!("{KEY}="), KeyError::EqualsSign, equals);
    bad_key(&format!("{}=", &KEY[..42]), KeyError::EqualsSign, equals);

    let character = |position, found| KeyError::Character { position, found };
    let message =
        |position, found| format!("character {position} ({found}) of EncodingAESKey is not of the base64 alphabet");
    bad_key(&KEY.replace('q', "$"), character(17, '$'), &message(17, "'$'"));
    bad_key(&KEY.replace('a', "-"), character(1, '-'), &message(1, "'-'"));
    bad_key(&KEY.replace('G', "_"), character(43, '_'), &message(43, "'_'"));
    bad_key(&KEY.replace('e', "="), character(5, '='), &message(5, "'='"));
    bad_key(&KEY.replace('e', "é"), character(5, 'é'), &message(5, "'é'"));
    bad_key(&KEY.replace("cd", "密钥"), character(3, '密'), &message(3, "'密'"));
    bad_key(&format!(" {KEY}"), character(1, ' '), &message(1, "' '"));
    bad_key(&format!("{KEY}\r\n"), character(44, '\r'), &message(44, r"'\r'"));
    bad_key("${AES_KEY}", character(1, '$'), &message(1, "'$'"));
}

#[track_caller]
fn refused(text: &str, error: OpenError, message: &str, number: i32) {
    let found = open(&key(), APP_ID, text).unwrap_err();
    assert_eq!((found.to_string().as_str(), &found), (message, &error));
    assert_eq!(found.number(), number);
}

#[test]
fn what_is_not_base64_is_refused_with_the_place() {
    let sealed = seal_with(&key(), APP_ID, &[b'm'; 100], RANDOM).unwrap();
    for (position, found, shown) in [(1, '$', "'$'"), (77, '\n', r"'\n'"), (9, '=', "'='"), (130, '一', "'一'")] {
        let text: String =
            sealed.chars().enumerate().map(|(at, c)| if at + 1 == position { found } else { c }).collect();
        let message = format!("Encrypt is not base64: character {position} is {shown}");
        refused(&text, OpenError::Base64Character { position, found }, &message, -40010);
        let message = format!("Encrypt is not base64: character {} is {shown}", position + 3);
        let error = OpenError::Base64Character { position: position + 3, found };
        refused(&format!("\r\n {text} "), error, &message, -40010);
    }
    for (text, characters) in [("A", 1), ("AA", 2), ("AAA", 3), ("AA=", 3), ("====", 4), ("A===", 4), (" AAAAA=== ", 8)]
    {
        let message = format!(
            "Encrypt is not base64: its {characters} characters do not end in a whole group of four: was it cut?"
        );
        refused(text, OpenError::Base64Cut { characters }, &message, -40010);
    }
    let message = "Encrypt is not base64: its last character sets bits that belong to no byte";
    refused("AAB=", OpenError::Base64StrayBits, message, -40010);
    refused("AB==", OpenError::Base64StrayBits, message, -40010);
}

#[test]
fn what_is_not_blocks_is_refused_with_its_length() {
    for (bytes, text) in
        [(0, String::new()), (0, " \n".to_owned()), (15, STANDARD.encode([0; 15])), (33, STANDARD.encode([0; 33]))]
    {
        let message = format!("Encrypt decodes to {bytes} bytes, not to 32 or more in blocks of 16: was it cut?");
        refused(&text, OpenError::BlockLength { bytes }, &message, -40007);
    }
}

#[test]
fn a_plaintext_of_the_wrong_shape_is_refused_with_the_numbers() {
    let short = "decrypted to 19 bytes, too few for the 20 in front of a message";
    refused(&encrypt(&[13; 32]), OpenError::TooShort { bytes: 19 }, short, -40008);
    let empty = "decrypted to 0 bytes, too few for the 20 in front of a message";
    refused(&encrypt(&[32; 32]), OpenError::TooShort { bytes: 0 }, empty, -40008);

    let rest = [b"hello", APP_ID.as_bytes()].concat();
    let beyond = |declared| OpenError::MessageLength { declared, available: 23 };
    let message = "message length 24 exceeds the 23 bytes that were decrypted";
    refused(&encrypt(&padded(24, &rest)), beyond(24), message, -40008);
    let message = "message length 4294967295 exceeds the 23 bytes that were decrypted";
    refused(&encrypt(&padded(u32::MAX, &rest)), beyond(u32::MAX), message, -40008);
}

#[test]
fn another_app_id_is_refused_and_named() {
    let app_id = |found: &str| OpenError::AppId { found: found.to_owned(), configured: APP_ID.to_owned() };
    for (length, rest, found, shown) in [
        (5, "hellowx5823bf96d3bd56c7".as_bytes(), "wx5823bf96d3bd56c7", "wx5823bf96d3bd56c7"),
        (5, b"hello", "", ""),
        (4, b"hellowxb11529c136998cb6", "owxb11529c136998cb6", "owxb11529c136998cb6"),
        (6, b"hellowxb11529c136998cb6", "xb11529c136998cb6", "xb11529c136998cb6"),
        (0, b"WXB11529C136998CB6", "WXB11529C136998CB6", "WXB11529C136998CB6"),
        (0, b"wx\n\xFF", "wx\n\u{FFFD}", "wx\\n\u{FFFD}"),
        (0, &[b'w'; 100], &"w".repeat(64), &"w".repeat(64)),
    ] {
        let message = format!("encrypted for app id `{shown}`, but `{APP_ID}` is configured");
        refused(&encrypt(&padded(length, rest)), app_id(found), &message, -40005);
    }
}

#[test]
#[ignore = "reserves 4 GiB of address space"]
fn a_message_of_4_gib_is_refused() {
    let message = vec![0; 1 << 32];
    assert_eq!(seal(&key(), APP_ID, &message), Err(SealError::TooLong { bytes: 1 << 32 }));
    assert_eq!(seal_with(&key(), APP_ID, &message, RANDOM).unwrap_err().number(), -40006);
}

#[test]
fn white_space_around_encrypt_is_ignored() {
    let sealed = seal_with(&key(), APP_ID, b"hello", RANDOM).unwrap();
    for text in [format!(" {sealed}"), format!("{sealed}\n"), format!("\r\n\t{sealed} \r\n")] {
        assert_eq!(open(&key(), APP_ID, &text).unwrap().message(), b"hello");
    }
}

#[test]
fn two_seals_of_one_message_share_no_block() {
    let key = key();
    let [one, two] = [(); 2].map(|()| STANDARD.decode(seal(&key, APP_ID, &[b'm'; 400]).unwrap()).unwrap());
    assert_eq!(one.chunks(16).zip(two.chunks(16)).filter(|(one, two)| one == two).count(), 0);
}

#[test]
fn no_two_seals_begin_alike_on_any_thread() {
    let key = key();
    // The first block is the random bytes alone.
    let first = |_| STANDARD.decode(seal(&key, APP_ID, b"").unwrap()).unwrap()[..16].to_vec();
    let firsts = || (0..100).map(first).collect::<Vec<_>>();
    let of_each: Vec<_> =
        thread::scope(|scope| [(); 3].map(|()| scope.spawn(firsts)).map(|it| it.join().unwrap()).into());
    let all: HashSet<_> = of_each.into_iter().flatten().collect();
    assert_eq!(all.len(), 300);
}

proptest! {
    #[test]
    fn any_message_for_any_app_id_comes_back(
        key in "[A-Za-z0-9+/]{43}", app_id in ".{0,40}", message in prop::collection::vec(any::<u8>(), 0..3000),
    ) {
        let key = EncodingAesKey::new(&key).unwrap();
        let sealed = seal(&key, &app_id, &message).unwrap();
        prop_assert_eq!(open(&key, &app_id, &sealed).unwrap().into_message(), message);
    }

    #[test]
    fn the_declared_length_alone_parts_message_from_app_id(declared in 0..60_u32, rest in "[ -~]{0,50}") {
        let text = encrypt(&padded(declared, rest.as_bytes()));
        match rest.split_at_checked(usize::try_from(declared).unwrap()) {
            Some((message, app_id)) => {
                prop_assert_eq!(open(&key(), app_id, &text).unwrap().into_message(), message.as_bytes());
            }
            None => {
                let error = OpenError::MessageLength { declared, available: rest.len() };
                prop_assert_eq!(open(&key(), APP_ID, &text), Err(error));
            }
        }
    }

    #[test]
    fn no_text_panics(text in "[A-Za-z0-9+/= \\PC]{0,200}", blocks in prop::collection::vec(any::<[u8; 16]>(), 1..8)) {
        prop_assert!(open(&key(), APP_ID, &text).is_err());
        prop_assert!(open(&key(), APP_ID, &STANDARD.encode(blocks.as_flattened())).is_err());
        prop_assert!(open(&key(), APP_ID, &encrypt(blocks.as_flattened())).is_err());
    }
}
