//! Encrypted pushes for `measure`, all different: one per line, with the query, a tab and the body.

use std::io::{BufWriter, Write, stdout};
use std::time::UNIX_EPOCH;

use wechat_events::testing::WeChat;

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let variable = std::env::var;
    let number: usize = std::env::args().nth(1).ok_or("how many?")?.parse()?;
    let since = UNIX_EPOCH.elapsed()?;
    let wechat = WeChat::safe(variable("WECHAT_TOKEN")?, variable("WECHAT_APP_ID")?, variable("WECHAT_AES_KEY")?)?
        .seed(u64::from(since.subsec_nanos()));
    let mut lines = BufWriter::new(stdout().lock());
    for _ in 0..number {
        let request = wechat.push("text").set("Content", "你好").request(i64::try_from(since.as_secs())?);
        let body = String::from_utf8(request.body)?;
        writeln!(lines, "{}\t{}", request.query, body.replace('\n', ""))?;
    }
    Ok(lines.flush()?)
}
