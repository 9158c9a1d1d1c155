//! Rules for the repository itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files under version control; `None` where the sources came without it.
fn tracked() -> Option<Vec<PathBuf>> {
    if !root().join(".git").exists() {
        return None;
    }
    // The checkout may be another user's, as in a container.
    let git =
        Command::new("git").args(["-c", "safe.directory=*", "ls-files", "-z"]).current_dir(root()).output().ok()?;
    assert!(git.status.success(), "{}", String::from_utf8_lossy(&git.stderr));
    let names = String::from_utf8(git.stdout).unwrap();
    let paths = names.split_terminator('\0').map(|name| root().join(name));
    // A file that was removed and not yet committed is still listed.
    Some(paths.filter(|path| path.is_file()).collect())
}

/// A `now` in seconds says so where it is asked for; one in milliseconds is called `now_ms`.
#[test]
fn each_time_that_is_asked_for_has_its_unit() {
    let mut asked = 0;
    for path in tracked().unwrap_or_default().iter().filter(|path| path.starts_with(root().join("src"))) {
        let text = fs::read_to_string(path).unwrap();
        let mut docs = String::new();
        for item in text.split_inclusive("\n") {
            match item.trim_start() {
                line if line.starts_with("///") => docs.push_str(line),
                line if line.starts_with("#[") => {}
                line if line.starts_with("pub fn ") || line.starts_with("pub async fn ") => {
                    let rest = &text[item.as_ptr() as usize - text.as_ptr() as usize..];
                    let signature = rest.split(['{', ';']).next().unwrap();
                    assert!(!signature.contains(" now: u64"), "{}: {line}", path.display());
                    if signature.contains(" now: i64") {
                        asked += 1;
                        assert!(docs.contains("in seconds"), "{}: {line}", path.display());
                    }
                    docs.clear();
                }
                _ => docs.clear(),
            }
        }
    }
    assert!(asked > 5 || tracked().is_none(), "only {asked} are found");
}

#[test]
fn no_file_names_a_registry_or_a_folder_of_a_machine() {
    // Written apart, since this file is one of them.
    let registries = [["crates", ".io"], ["npmjs", ".com"], ["pypi", ".org"], ["proxy.golang", ".org"]];
    let folders = [["/ho", "me/"], ["/ro", "ot/"], ["/Use", "rs/"], ["/tm", "p/"], ["/wo", "rk/"]];
    let Some(files) = tracked() else { return };
    let mut found = Vec::new();
    for path in files.iter().filter(|path| !path.ends_with("Cargo.lock")) {
        let text = String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        for word in registries.iter().chain(&folders).map(|parts| parts.concat()) {
            if text.contains(&word) {
                found.push(format!("{}: {word}", path.display()));
            }
        }
    }
    assert_eq!(found, [""; 0]);
}

#[test]
fn no_file_of_the_webhook_is_too_long_to_read_in_one_go() {
    for file in fs::read_dir(root().join("src/webhook")).unwrap() {
        let path = file.unwrap().path();
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 400, "{}: {lines} lines", path.display());
    }
}

#[test]
fn both_readmes_name_every_example() {
    let readmes = ["README.md", "README.zh-CN.md"].map(|name| fs::read_to_string(root().join(name)).unwrap());
    for example in fs::read_dir(root().join("examples")).unwrap() {
        let name = example.unwrap().file_name().into_string().unwrap();
        if name == "clippy.toml" {
            continue;
        }
        for readme in &readmes {
            let linked = [')', '/'].iter().any(|end| readme.contains(&format!("](examples/{name}{end}")));
            assert!(linked, "no link to examples/{name} or into it");
        }
    }
}

#[test]
fn the_package_has_the_pushes_and_every_file_the_manifest_names() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let include = manifest.lines().find_map(|line| line.strip_prefix("include = ")).unwrap();
    let patterns: Vec<_> = include.trim_matches(['[', ']']).split(", ").map(|name| name.trim_matches('"')).collect();
    assert!(patterns.contains(&"tests/pushes/**"), "{patterns:?}");
    for pattern in patterns {
        let (folder, rest) = pattern.split_once('*').unwrap_or((pattern, ""));
        let start = root().join(folder);
        let known = start.exists() || {
            let name = start.file_name().unwrap().to_str().unwrap().to_owned();
            let beside = fs::read_dir(start.parent().unwrap()).unwrap();
            beside
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .any(|file| file.starts_with(&name) && file.ends_with(rest))
        };
        assert!(known, "{pattern} matches nothing");
    }
}

/// rustdoc compiles all examples in one piece, unless one of them does not compile there; then it takes ten times as long.
#[test]
fn an_example_that_reads_a_file_beside_its_source_is_a_crate_of_its_own() {
    let Some(files) = tracked() else { return };
    let mut found = Vec::new();
    for path in files.iter().filter(|path| path.starts_with(root().join("src"))) {
        let text = fs::read_to_string(path).unwrap_or_default();
        let docs = text.lines().map(|line| line.trim_start()).filter(|line| line.starts_with("//"));
        let mut fence = "";
        for line in docs {
            if line.contains("```") {
                fence = line;
            } else if line.contains("include_bytes!(\"") && !fence.ends_with("```standalone_crate") {
                found.push(format!("{}: {line}", path.display()));
            }
        }
    }
    assert_eq!(found, [""; 0]);
}
