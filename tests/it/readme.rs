//! Both READMEs say the same, and what they say of the crate is so. Their code runs as a doctest of the crate.

use std::fs;
use std::path::Path;

#[allow(dead_code, reason = "main is for whoever runs the example")]
#[path = "../../examples/quickstart/src/main.rs"]
mod quickstart;

/// The parts of a README that do not depend on its language.
#[derive(Debug, Default)]
struct Outline {
    /// How many `#` each heading has.
    headings: Vec<usize>,
    /// With the fences.
    code: Vec<String>,
    /// Of each row, its cells that need no translation; of the others their numbers.
    rows: Vec<Vec<String>>,
    /// Where each link leads.
    links: Vec<String>,
    /// Under each heading, the numbers of two digits or more that are in no table, sorted: a language may order them
    /// otherwise, and spell the small ones.
    figures: Vec<Vec<String>>,
}

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn outline(text: &str) -> Outline {
    let mut outline = Outline { figures: vec![Vec::new()], ..Outline::default() };
    let mut code: Option<String> = None;
    for line in text.lines() {
        if let Some(block) = &mut code {
            *block += &format!("{line}\n");
            if line == "```" {
                outline.code.extend(code.take());
            }
        } else if line.starts_with("```") {
            code = Some(format!("{line}\n"));
        } else {
            match line.split(' ').next() {
                Some(marks) if marks.starts_with('#') => {
                    outline.headings.push(marks.len());
                    outline.figures.push(Vec::new());
                }
                Some("|") => outline.rows.push(line.split('|').map(numbers).collect()),
                _ => outline.figures.last_mut().unwrap().extend(figures(line)),
            }
            outline.links.extend(line.split("](").skip(1).map(|link| link.split(')').next().unwrap().to_owned()));
        }
    }
    assert_eq!(code, None, "a block without its end");
    outline.figures.iter_mut().for_each(|figures| figures.sort_unstable());
    outline
}

/// The numbers of a text outside its code, but for those of one digit.
fn figures(text: &str) -> impl Iterator<Item = String> {
    let parts = text.split('`').step_by(2).flat_map(|prose| prose.split(|c: char| !matches!(c, '0'..='9' | '.' | ',')));
    let numbers = parts.map(|number| number.trim_matches(['.', ',']).to_owned());
    numbers.filter(|number| number.chars().filter(char::is_ascii_digit).count() > 1)
}

/// The digits of a text with what stands between two of them, and its code.
fn numbers(text: &str) -> String {
    let code = text.split('`').skip(1).step_by(2).map(|code| format!("`{code}` "));
    let prose: String = text.split('`').step_by(2).collect();
    let numbers = prose.split(|c: char| !(c.is_ascii_digit() || c == '.')).map(|number| number.trim_matches('.'));
    let numbers = numbers.filter(|number| !number.is_empty());
    code.chain(numbers.map(|number| format!("{number} "))).collect()
}

#[test]
fn both_readmes_have_the_same_headings_code_figures_and_links() {
    let (english, chinese) = (outline(&read("README.md")), outline(&read("README.zh-CN.md")));
    assert_eq!(english.headings, chinese.headings);
    assert_eq!(english.code, chinese.code);
    assert_eq!(english.rows, chinese.rows);
    assert_eq!(english.figures, chinese.figures);
    let [to_chinese, english_links @ ..] = &*english.links else { panic!("no link") };
    let [to_english, chinese_links @ ..] = &*chinese.links else { panic!("no link") };
    assert_eq!((&**to_chinese, &**to_english), ("README.zh-CN.md", "README.md"));
    assert_eq!(english_links, chinese_links);
    for link in english_links {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(link).exists(), "{link} leads nowhere");
    }
}

#[test]
fn the_readme_shows_what_the_quickstart_prints() {
    let mut printed = b"```text\n".to_vec();
    quickstart::play(&mut printed).unwrap();
    printed.extend(b"```\n");
    let shown = outline(&read("README.md")).code.into_iter().find(|block| block.starts_with("```text\nWeChat sends"));
    assert_eq!(shown, Some(String::from_utf8(printed).unwrap()));
}

#[test]
fn the_quickstart_plays_pushes_of_the_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for push in fs::read_dir(root.join("examples/quickstart/pushes")).unwrap() {
        let push = push.unwrap();
        assert!(
            fs::read(push.path()).unwrap() == fs::read(root.join("tests/pushes").join(push.file_name())).unwrap(),
            "{push:?} is no longer the one in tests/pushes"
        );
    }
}

#[test]
fn the_readme_shows_the_package_for_axum() {
    let package = read("examples/axum/src/main.rs");
    let (_, code) = package.split_once("\n\n").unwrap();
    assert!(outline(&read("README.md")).code.contains(&format!("```rust,ignore\n{code}```\n")));
}

#[test]
fn the_readme_says_how_long_each_package_is() {
    let readme = read("README.md");
    let rows = readme.lines().skip_while(|line| !line.starts_with("| Stack |")).skip(2);
    for row in rows.take_while(|row| row.starts_with('|')) {
        let [_, name, _, lines, ..] = *row.split('|').map(str::trim).collect::<Vec<_>>() else { panic!("{row}") };
        let folder = name.split(['(', ')']).nth(1).unwrap();
        assert_eq!(read(&format!("{folder}/src/main.rs")).lines().count().to_string(), lines, "{folder}");
    }
}

#[test]
fn the_readme_names_the_rust_version_and_every_feature_of_the_manifest() {
    let (readme, manifest) = (read("README.md"), read("Cargo.toml"));
    for readme in [&readme, &read("README.zh-CN.md")] {
        assert!(readme.contains(concat!("\n", env!("CARGO_PKG_RUST_VERSION"))));
    }
    let features = manifest.split("\n[features]\n").nth(1).unwrap().split("\n[").next().unwrap();
    for feature in features.lines().filter(|line| !line.starts_with(['#', ' ', ']'])) {
        let Some((name, _)) = feature.split_once(" = ") else { continue };
        assert!(name == "default" || readme.contains(&format!("\n| `{name}` |")), "{name} is not in the table");
    }
}

#[test]
fn the_readmes_name_the_crates_that_are_always_there() {
    let manifest = read("Cargo.toml");
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let lines = section.lines().filter(|line| !line.starts_with('#') && !line.contains("optional = true"));
    let mut always: Vec<_> = lines.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name).collect();
    always.sort_unstable();
    for (readme, row) in [("README.md", "| none |"), ("README.zh-CN.md", "| 无 |")] {
        let text = read(readme);
        let row = text.lines().find(|line| line.starts_with(row)).unwrap();
        let column = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap();
        let mut named: Vec<_> = column.split('`').skip(1).step_by(2).collect();
        named.sort_unstable();
        assert_eq!(named, always, "{readme}");
    }
}

#[test]
fn both_guides_show_the_metrics_of_the_queue() {
    let metrics = read("examples/queue/src/metrics.rs");
    let (_, code) = metrics.split_once("\n\n").unwrap();
    for recipes in ["src/guide/en/recipes.md", "src/guide/zh/recipes.md"] {
        assert!(outline(&read(recipes)).code.contains(&format!("```rust,ignore\n{code}```\n")), "{recipes}");
    }
}
