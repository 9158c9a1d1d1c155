//! Errors say each thing once, and keep their causes.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use wechat_events::{RequestError, parse_event};

/// Like `{:#}` of anyhow: an error and its causes, separated by colons.
pub fn whole(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |whole, cause| format!("{whole}: {cause}"))
}

#[test]
fn an_error_that_has_a_cause_says_what_the_cause_does_not() {
    let cause = parse_event(b"hello").unwrap_err();
    let by_cause = |error: &dyn Error, alone: &str| {
        assert_eq!(error.to_string(), alone);
        assert_eq!(whole(error), format!("{alone}: not XML: unknown token at line 1, column 1"));
    };
    by_cause(&RequestError::Envelope(cause.clone()), "the envelope around Encrypt cannot be read");
    #[cfg(any(feature = "threads", feature = "tokio"))]
    by_cause(&wechat_events::Cause::Unparsable(cause.clone()), "authentic, but not a valid push");
    #[cfg(feature = "minigame")]
    {
        use wechat_events::PayEventError;
        use wechat_events::event::Reason;

        by_cause(&PayEventError::Json(cause), "the payload cannot be read");
        let incomplete = PayEventError::Field(Reason::Missing { field: "OutTradeNo" });
        assert_eq!(whole(&incomplete), "the payload is not valid: missing field OutTradeNo");
    }
}

#[cfg(any(feature = "threads", feature = "tokio"))]
#[test]
fn a_handler_s_error_keeps_its_causes() {
    #[derive(Debug, thiserror::Error)]
    #[error("binding a scene")]
    struct Binding(#[source] std::num::ParseIntError);

    let error = Binding("scenes".parse::<u32>().unwrap_err());
    let cause = wechat_events::Cause::Handler(std::sync::Arc::new(error));
    assert_eq!(whole(&cause), "binding a scene: invalid digit found in string");
}

/// A source must not be shown by the error itself: printed as a chain it would appear twice.
#[test]
fn no_error_shows_the_text_of_its_source() {
    let mut attributes = 0;
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        // From a text that is shown up to the next: the variant or the struct that shows it.
        let library = text.split("#[cfg(test)]").next().unwrap();
        for shown in library.split("#[error(").skip(1) {
            attributes += 1;
            let Some((message, of)) = shown.split_once(")]\n") else { panic!("{}: {shown}", path.display()) };
            let of = of.split("#[error(").next().unwrap().split("\n}").next().unwrap();
            let variant = of.lines().find(|line| !line.trim_start().starts_with("//")).unwrap_or_default();
            let has_source = variant.contains("#[source]") || variant.contains("#[from]") || of.contains("  source:");
            let shows_it = ["{0", "{source", "{error"].iter().any(|field| message.contains(field));
            assert!(!(has_source && shows_it), "{}: {message}\n{variant}", path.display());
        }
    }
    assert!(attributes > 60, "only {attributes} are found");
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}
