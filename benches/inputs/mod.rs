//! What the benchmarks read: the five usual pushes, each as many times as wanted and never twice the same.

/// A small generator: the same pushes in every run.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn open_id(&mut self) -> String {
        format!("oQ7tT{:016x}{:07x}", self.next(), self.next() & 0xfff_ffff)
    }
}

const KINDS: [&str; 5] = ["subscribe", "subscribe_qr_code", "location", "text", "click"];

fn push(kind: &str, numbers: &mut Numbers) -> Vec<u8> {
    let msg_type = if kind == "text" { "text" } else { "event" };
    let header = format!(
        "<xml><ToUserName><![CDATA[gh_3d5f1b2c7a90]]></ToUserName>\n<FromUserName><![CDATA[{}]]></FromUserName>\n\
         <CreateTime>{}</CreateTime>\n<MsgType><![CDATA[{msg_type}]]></MsgType>\n",
        numbers.open_id(),
        1_700_000_000 + numbers.next() % 10_000_000
    );
    let rest = match kind {
        "subscribe" => "<Event><![CDATA[subscribe]]></Event>\n<EventKey><![CDATA[]]></EventKey>\n".to_owned(),
        "subscribe_qr_code" => format!(
            "<Event><![CDATA[subscribe]]></Event>\n<EventKey><![CDATA[qrscene_{}]]></EventKey>\n\
             <Ticket><![CDATA[gQH97zwAAAAAAAAAAS5odHRwOi8vd2VpeGluLnFxLmNvbS9xLz{:016x}]]></Ticket>\n",
            numbers.next() % 100_000,
            numbers.next()
        ),
        "location" => format!(
            "<Event><![CDATA[LOCATION]]></Event>\n<Latitude>23.{:06}</Latitude>\n<Longitude>113.{:06}</Longitude>\n\
             <Precision>119.{:06}</Precision>\n",
            numbers.next() % 1_000_000,
            numbers.next() % 1_000_000,
            numbers.next() % 1_000_000
        ),
        "text" => {
            let content: String = (0..600)
                .map(|_| char::from_u32(0x4e00 + u32::try_from(numbers.next() % 0x5000).unwrap()).unwrap())
                .collect();
            format!(
                "<Content><![CDATA[{content}]]></Content>\n<MsgId>{}</MsgId>\n",
                20_000_000_000_000_000 + numbers.next() % (1 << 50)
            )
        }
        "click" => format!(
            "<Event><![CDATA[CLICK]]></Event>\n<EventKey><![CDATA[MENU_{}]]></EventKey>\n",
            numbers.next() % 1000
        ),
        _ => unreachable!(),
    };
    format!("{header}{rest}</xml>").into_bytes()
}

/// One of each.
#[allow(dead_code, reason = "each bench takes what it needs")]
pub fn five() -> Vec<(&'static str, Vec<u8>)> {
    let mut numbers = Numbers(1);
    KINDS.iter().map(|kind| (*kind, push(kind, &mut numbers))).collect()
}

/// So many distinct ones, as many of each, shuffled.
#[allow(dead_code, reason = "each bench takes what it needs")]
pub fn mix(count: usize) -> Vec<Vec<u8>> {
    let mut numbers = Numbers(2);
    let mut pushes: Vec<_> = KINDS.iter().cycle().take(count).map(|kind| push(kind, &mut numbers)).collect();
    for last in (1..pushes.len()).rev() {
        pushes.swap(last, usize::try_from(numbers.next()).unwrap() % (last + 1));
    }
    pushes
}
