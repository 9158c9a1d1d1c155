//! Parameters of a request's query.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use crate::error::RequestError;
use crate::signature::has_form;

/// The value of a required parameter.
pub(super) fn present<'q>(value: Option<Cow<'q, str>>, name: &'static str) -> Result<Cow<'q, str>, RequestError> {
    // `ok_or` would build and drop an error for every parameter that is present.
    match value {
        Some(value) => Ok(value),
        None => Err(RequestError::MissingParameter { name }),
    }
}

/// The value of a required parameter, if it has the form that is safe to sign with and to send back.
pub(super) fn formed<'q>(
    value: Option<Cow<'q, str>>,
    name: &'static str,
    limit: usize,
) -> Result<Cow<'q, str>, RequestError> {
    let value = present(value, name)?;
    if has_form(&value, limit) { Ok(value) } else { Err(RequestError::ParameterForm { name, limit }) }
}

/// Parameters of the query, form-decoded; the first of each name counts.
pub(super) fn parameters<'q, const N: usize>(query: &'q str, names: [&str; N]) -> [Option<Cow<'q, str>>; N] {
    // One pass with memchr: a pass for each name with std's search costs more than SHA-1.
    let mut values = [None; N];
    let mut rest = query;
    while !rest.is_empty() {
        let end = memchr(b'&', rest.as_bytes()).unwrap_or(rest.len());
        let (pair, behind) = rest.split_at_checked(end).unwrap_or_default();
        for (name, slot) in names.iter().zip(&mut values) {
            if let Some(value) = pair.strip_prefix(name)
                && (value.is_empty() || value.starts_with('='))
            {
                slot.get_or_insert(value.get(1..).unwrap_or_default());
            }
        }
        rest = behind.get(1..).unwrap_or_default();
    }
    if memchr2(b'%', b'+', query.as_bytes()).is_none() {
        return values.map(|value| value.map(Cow::Borrowed));
    }
    values.map(|value| value.map(decoded))
}

/// An invalid `%` stays as it is, as the URL standard says.
#[cold]
fn decoded(value: &str) -> Cow<'_, str> {
    if memchr2(b'%', b'+', value.as_bytes()).is_none() {
        return Cow::Borrowed(value);
    }
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [byte, behind @ ..] = rest {
        let mut escaped = [0];
        rest = behind;
        decoded.push(match (byte, behind) {
            (b'+', _) => b' ',
            (b'%', [high, low, behind @ ..]) if hex::decode_to_slice([*high, *low], &mut escaped).is_ok() => {
                rest = behind;
                let [byte] = escaped;
                byte
            }
            _ => *byte,
        });
    }
    Cow::Owned(String::from_utf8_lossy(&decoded).into_owned())
}
