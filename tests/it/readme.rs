//! The READMEs of both languages say the same, and it is true of the crate. Their programs are doc tests.

use std::fs;
use std::path::Path;

use wechat_events::event::KINDS;

use crate::expect;

#[allow(dead_code, reason = "main is for whoever runs the example")]
#[path = "../../examples/quickstart/src/main.rs"]
mod quickstart;

/// The folders with a README in English and one in Chinese.
const FOLDERS: [&str; 2] = ["", "examples/simulator/"];

/// The parts of a README that do not depend on its language.
#[derive(Debug, Default)]
struct Outline {
    /// How many `#` each heading has.
    headings: Vec<usize>,
    /// With the fences; programs without their words.
    code: Vec<String>,
    /// For each row, the cells that need no translation, and the numbers of the others.
    rows: Vec<Vec<String>>,
    /// Where each link leads.
    links: Vec<String>,
    /// Under each heading, the numbers of two digits or more that are in no table, sorted: a language may order them
    /// otherwise, and spell the small ones.
    figures: Vec<Vec<String>>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The blocks between fences, with these.
fn blocks(text: &str) -> Vec<String> {
    let (mut blocks, mut open) = (Vec::new(), None);
    for line in text.lines() {
        let block = open.get_or_insert_with(String::new);
        if block.is_empty() && !line.starts_with("```") {
            open = None;
            continue;
        }
        let ends = !block.is_empty() && line == "```";
        *block += &format!("{line}\n");
        if ends {
            blocks.extend(open.take());
        }
    }
    assert_eq!(open, None, "a block without its end");
    blocks
}

/// A program without the text of its strings and comments; any other block unchanged.
fn without_words(block: &str) -> String {
    if !block.starts_with("```rust") {
        return block.to_owned();
    }
    let line = |line: &str| line.split("//").next().unwrap().split('"').step_by(2).collect::<Vec<_>>().join("\"");
    block.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn outline(text: &str) -> Outline {
    let mut outline = Outline { figures: vec![Vec::new()], ..Outline::default() };
    outline.code = blocks(text).iter().map(|block| without_words(block)).collect();
    for line in blocks(text).iter().fold(text.to_owned(), |text, block| text.replacen(block, "", 1)).lines() {
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
    outline.figures.iter_mut().for_each(|figures| figures.sort_unstable());
    outline
}

/// The numbers in a text outside its code, except those of one digit.
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

/// The same place in the other language; a heading's name has no counterpart.
fn in_english(link: &str) -> String {
    link.split('#').next().unwrap().replace(".zh-CN.", ".").replace("/zh/", "/en/")
}

#[test]
fn both_languages_have_the_same_headings_code_figures_and_links() {
    for folder in FOLDERS {
        let readme = |name| outline(&read(&format!("{folder}{name}")));
        let (english, chinese) = (readme("README.md"), readme("README.zh-CN.md"));
        assert_eq!(english.headings, chinese.headings);
        assert_eq!(english.code, chinese.code);
        assert_eq!(english.rows, chinese.rows);
        assert_eq!(english.figures, chinese.figures);
        let links = |links: &[String]| links[1..].iter().map(|link| in_english(link)).collect::<Vec<_>>();
        assert_eq!((&*english.links[0], &*chinese.links[0]), ("README.zh-CN.md", "README.md"));
        assert_eq!(links(&english.links), links(&chinese.links));
    }
}

#[test]
fn every_page_of_the_guide_has_the_same_headings_programs_and_links_in_both_languages() {
    let pages: Vec<_> =
        fs::read_dir(root().join("src/guide/en")).unwrap().map(|page| page.unwrap().file_name()).collect();
    assert!(pages.len() > 8, "{pages:?}");
    for page in pages.iter().map(|page| page.to_str().unwrap()) {
        let (english, chinese) =
            (outline(&read(&format!("src/guide/en/{page}"))), outline(&read(&format!("src/guide/zh/{page}"))));
        assert_eq!(english.headings, chinese.headings, "{page}");
        assert_eq!(english.code.len(), chinese.code.len(), "{page}");
        assert_eq!(english.rows.len(), chinese.rows.len(), "{page}");
        let links = |page: &Outline| page.links.iter().map(|link| in_english(link)).collect::<Vec<_>>();
        assert_eq!(links(&english), links(&chinese), "{page}");
    }
}

/// GitHub's name of a heading.
fn anchor(heading: &str) -> String {
    let letters = heading.trim_start_matches(['#', ' ']).chars().filter(|c| c.is_alphanumeric() || " -".contains(*c));
    letters.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_link_leads_to_a_file_and_its_heading() {
    for folder in FOLDERS {
        for readme in ["README.md", "README.zh-CN.md"] {
            for link in outline(&read(&format!("{folder}{readme}"))).links {
                let (path, heading) = link.split_once('#').unwrap_or((&link, ""));
                assert!(root().join(folder).join(path).exists(), "{folder}{readme}: {link} leads nowhere");
                let found = heading.is_empty()
                    || read(&format!("{folder}{path}"))
                        .lines()
                        .any(|line| line.starts_with('#') && anchor(line) == heading);
                assert!(found, "{folder}{readme}: {link} has no such heading");
            }
        }
    }
}

/// The names of tests in a text: code of many words.
fn tests_named(text: &str) -> impl Iterator<Item = &str> {
    let is_test = |code: &&str| {
        code.matches('_').count() > 3 && code.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
    };
    text.split('`').skip(1).step_by(2).filter(is_test)
}

#[test]
fn every_test_that_is_named_is_there() {
    let mut sources = String::new();
    let mut folders = vec![root().join("tests")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                sources += &fs::read_to_string(path).unwrap();
            }
        }
    }
    let readme = read("examples/simulator/README.md");
    let named: Vec<_> = tests_named(&readme).filter(|name| !KINDS.iter().any(|kind| kind.name() == *name)).collect();
    assert!(named.len() > 10, "only {named:?}");
    for name in named {
        assert!(sources.contains(&format!("fn {name}(")), "there is no test {name}");
    }
}

#[test]
fn the_quickstart_prints_what_stands_beside_it() {
    let mut printed = Vec::new();
    quickstart::play(&mut printed).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    expect(&root().join("examples/quickstart/output"), "txt", printed.trim_end()).unwrap();
}

#[test]
fn the_quickstart_plays_pushes_of_the_tests() {
    for push in fs::read_dir(root().join("examples/quickstart/pushes")).unwrap() {
        let push = push.unwrap();
        assert!(
            fs::read(push.path()).unwrap() == fs::read(root().join("tests/pushes").join(push.file_name())).unwrap(),
            "{push:?} is no longer the one in tests/pushes"
        );
    }
}

/// The documentation of the crate itself.
fn front_page() -> String {
    let lines = read("src/lib.rs");
    lines.lines().filter_map(|line| line.strip_prefix("//!")).map(|line| format!("{}\n", line.trim_start())).collect()
}

/// The one block with these words, without its fences and margins.
fn block(text: &str, words: &str) -> String {
    let blocks: Vec<_> = blocks(text).into_iter().filter(|block| block.contains(words)).collect();
    let [block] = &*blocks else { panic!("{} blocks with {words}", blocks.len()) };
    block.lines().filter(|line| !line.starts_with("```")).map(|line| format!("{}\n", line.trim_start())).collect()
}

#[test]
fn the_first_program_is_the_same_everywhere() {
    for (readme, guide) in [("README.md", "src/guide/en/start.md"), ("README.zh-CN.md", "src/guide/zh/start.md")] {
        let (readme, guide) = (read(readme), read(guide));
        for words in ["axum::serve", "wechat-simulator -- chat"] {
            assert_eq!(block(&readme, words), block(&guide, words));
        }
    }
    let program = block(&read("README.md"), "axum::serve");
    assert!(front_page().contains(&program), "src/lib.rs is to have\n{program}");
}

/// The lines of the table that begins so.
fn table<'a>(text: &'a str, begins: &str) -> Vec<&'a str> {
    let rows = text.lines().skip_while(|line| !line.starts_with(begins));
    rows.take_while(|line| line.starts_with('|')).collect()
}

#[test]
fn the_features_are_those_of_the_manifest_and_told_the_same_on_the_front_page() {
    let (readme, front_page, manifest) = (read("README.md"), front_page(), read("Cargo.toml"));
    let table_here = table(&readme, "| Feature |");
    assert_eq!(table_here, table(&front_page, "| Feature |"));
    let features = manifest.split("\n[features]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let features =
        features.lines().filter(|line| !line.starts_with(['#', ' ', ']'])).filter_map(|l| l.split_once(" = "));
    let (default, mut others): (Vec<_>, Vec<_>) = features.partition(|(name, _)| *name == "default");
    others.sort_unstable();
    let told = |name: &str| if default[0].1.contains(&format!("\"{name}\"")) { ", by default" } else { "" };
    let expected: Vec<_> = others.iter().map(|(name, _)| format!("| `{name}`{} |", told(name))).collect();
    assert_eq!(table_here.len() - 2, expected.len());
    for (row, expected) in table_here[2..].iter().zip(expected) {
        assert!(row.starts_with(&expected), "{row} is to begin with {expected}");
    }
}

#[test]
fn each_framework_has_the_version_of_its_package() {
    let mut seen = 0;
    for link in read("README.md").split('[').filter(|link| link.contains("](examples/")) {
        let (name, rest) = link.split_once("](").unwrap();
        let folder = rest.split(')').next().unwrap();
        let Some((name, version)) = name.split_once(' ').filter(|(name, _)| folder.ends_with(&format!("/{name}")))
        else {
            continue;
        };
        let manifest = read(&format!("{folder}/Cargo.toml"));
        let line = manifest.lines().find_map(|line| line.strip_prefix(&format!("{name} = "))).unwrap();
        let found = line.trim_start_matches("{ version = ");
        let is = |end| found.starts_with(&format!("\"{version}{end}"));
        assert!(is('"') || is('.'), "{folder}: {line} is not {version}");
        seen += 1;
    }
    assert_eq!(seen, 11);
}

#[test]
fn the_readmes_name_the_rust_version_the_kinds_and_the_crates_that_are_always_there() {
    let manifest = read("Cargo.toml");
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
    let lines = section.lines().filter(|line| !line.starts_with('#') && !line.contains("optional = true"));
    let mut always: Vec<_> = lines.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name).collect();
    always.sort_unstable();
    for readme in ["README.md", "README.zh-CN.md"] {
        let text = read(readme);
        assert!(text.contains(concat!("\n", env!("CARGO_PKG_RUST_VERSION"))), "{readme}");
        assert!(text.contains(&format!("\n{} ", KINDS.len())), "{readme}: {} kinds", KINDS.len());
        let line = text.lines().find(|line| line.starts_with("`roxmltree`")).unwrap();
        let mut named: Vec<_> = line.split('`').skip(1).step_by(2).collect();
        named.sort_unstable();
        assert_eq!(named, always, "{readme}");
    }
}

#[test]
fn both_guides_show_the_metrics_of_the_queue() {
    // Each language has its own comments.
    let code =
        |text: &str| text.lines().filter(|line| !line.trim_start().starts_with("///")).collect::<Vec<_>>().join("\n");
    let metrics = read("examples/queue/src/metrics.rs");
    let (_, metrics) = metrics.split_once("\n\n").unwrap();
    let metrics = code(&format!("```rust,ignore\n{metrics}```\n"));
    for recipes in ["src/guide/en/recipes.md", "src/guide/zh/recipes.md"] {
        assert!(code(&read(recipes)).contains(&metrics), "{recipes}");
    }
}

#[test]
fn the_first_page_can_be_read_in_a_minute() {
    for readme in ["README.md", "README.zh-CN.md"] {
        assert!(read(readme).lines().count() <= 180, "{readme}: what is more belongs into the guide");
    }
}
