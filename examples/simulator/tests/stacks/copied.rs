//! An example as its user has it: copied out of the repository, with its dependency pointed at a checkout.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::{env, fs};

/// Two tests may want the same one.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Builds the package of a folder under `examples/` where nothing else of the repository is, and says where its binary is.
///
/// By itself, so that it cannot lean on another's features; but into this build's own folder, and with the versions of
/// the workspace, so that what it depends on is there already.
pub fn build(name: &str) -> PathBuf {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let simulator = Path::new(env!("CARGO_BIN_EXE_wechat-simulator"));
    let built_to = simulator.parent().unwrap();
    let profile = match built_to.file_name().unwrap().to_str().unwrap() {
        "debug" => "dev",
        profile => profile,
    };
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let checkout = examples.parent().unwrap();
    // The same in every run of this checkout, or else cargo would keep what it builds of each.
    let mut hasher = DefaultHasher::new();
    checkout.hash(&mut hasher);
    let folder = env::temp_dir().join(format!("wechat-events-{:x}", hasher.finish())).join(name);
    copy(&examples.join(name), &folder);
    fs::copy(checkout.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let pointed = manifest.replace("path = \"../..\"", &format!("path = {checkout:?}"));
    assert!(!pointed.contains("\"../"), "examples/{name} leans on what is beside it:\n{pointed}");
    fs::write(folder.join("Cargo.toml"), &pointed).unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--quiet", "--profile", profile, "--target-dir"])
        .arg(built_to.parent().unwrap())
        .current_dir(&folder)
        .status()
        .unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert!(built.success(), "examples/{name} cannot be built where it was copied to");
    let package = pointed.lines().find_map(|line| line.strip_prefix("name = \"")).unwrap();
    built_to.join(package.trim_end_matches('"')).with_extension(env::consts::EXE_EXTENSION)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
