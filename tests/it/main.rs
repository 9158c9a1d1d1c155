//! One binary: the tests against the public API.

mod allocations;
mod catalogue;
#[cfg(feature = "aes")]
mod cipher;
#[cfg(feature = "aes")]
mod cipher_allocations;
mod custom_messages;
mod dedup;
mod dedup_model;
mod dedup_policies;
mod endpoint;
mod errors;
mod fields;
#[cfg(feature = "testing")]
mod forgery;
#[cfg(feature = "testing")]
#[allow(dead_code, reason = "what is for a feature is not used without it")]
mod generate;
mod handlers;
#[cfg(feature = "http")]
mod http;
mod json;
#[cfg(feature = "minigame")]
mod minigame;
#[cfg(all(feature = "http", feature = "tokio"))]
mod mounting;
mod own_store;
mod payments;
#[cfg(feature = "testing")]
mod payments_delivered;
#[cfg(feature = "testing")]
mod properties;
mod pushes;
#[cfg(feature = "testing")]
mod readers;
mod readme;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "redis")]
mod redis_server;
#[cfg(feature = "redis")]
mod redis_way;
mod replies;
mod reply_texts;
mod reports;
mod repository;
#[cfg(feature = "aes")]
mod safe;
#[cfg(feature = "serde")]
mod serialized;
#[cfg(all(feature = "tracing", any(feature = "threads", feature = "tokio")))]
mod spans;
#[cfg(feature = "testing")]
mod testing;
#[cfg(feature = "threads")]
mod threads;
#[cfg(feature = "serde")]
mod to;
#[cfg(feature = "tokio")]
mod webhook;
#[cfg(feature = "aes")]
mod wechatpy;
mod wire;

use std::fs;
use std::path::{Path, PathBuf};

/// The files of a folder beside this test, by name without extension.
fn files(folder: &str, extension: &str) -> Vec<(String, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    files.sort();
    files
}

/// Compares the output with the file beside the input; `UPDATE=1` writes the file, to be reviewed in the diff.
fn expect(input: &Path, extension: &str, found: &str) -> Result<(), String> {
    let path = input.with_extension(extension);
    let found = format!("{found}\n");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, found).unwrap();
        return Ok(());
    }
    match fs::read_to_string(&path) {
        Err(_) => Err(format!("{} has no {extension} beside it; it is:\n{found}", input.display())),
        Ok(expected) if expected == found => Ok(()),
        Ok(expected) => Err(format!("{}: expected\n{expected}found\n{found}", input.display())),
    }
}

/// `ShortVideo` as `short_video`, `Notify3rdWxaAuth` as `notify_3rd_wxa_auth`, `H5Goods` as `h5_goods`.
fn snake(name: &str) -> String {
    let (mut snake, mut previous) = (String::new(), ' ');
    for c in name.chars() {
        let begins = c.is_ascii_uppercase() || (c.is_ascii_digit() && !previous.is_ascii_uppercase());
        if begins && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
        previous = c;
    }
    snake
}
