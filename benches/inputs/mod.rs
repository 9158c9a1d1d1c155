//! The input of the benchmarks: realistic pushes, all different.
//!
//! | kind | of 16 pushes | bytes |
//! |---|---|---|
//! | text of 4 to 24 characters | 4 | 283 to 343 |
//! | `CLICK` | 3 | 282 |
//! | `VIEW` | 2 | 339 |
//! | `TEMPLATESENDJOBFINISH` | 2 | 328 |
//! | `SCAN` | 1 | 404 |
//! | `subscribe` | 1 | 278 |
//! | `subscribe` by a QR code | 1 | 417 |
//! | `LOCATION` | 1 | 342 |
//! | image | 1 | 479 |
//!
//! The shares are a guess, since nobody publishes the mix of an account. The average is 334 bytes. A text
//! of 600 characters, 2,071 bytes, is not part of the mix.

/// A small random generator, with the same pushes in every run.
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

    fn hex(&mut self, digits: usize) -> String {
        (0..digits).map(|_| char::from_digit(u32::try_from(self.next() % 16).unwrap(), 16).unwrap()).collect()
    }

    fn open_id(&mut self) -> String {
        format!("oQ7tT{}", self.hex(23))
    }
}

/// The kinds of the mix, with their shares.
const MIX: [(&str, usize); 9] = [
    ("text", 4),
    ("click", 3),
    ("view", 2),
    ("template", 2),
    ("scan", 1),
    ("subscribe", 1),
    ("subscribe_qr_code", 1),
    ("location", 1),
    ("image", 1),
];

fn push(kind: &str, numbers: &mut Numbers) -> Vec<u8> {
    let msg_type = match kind {
        "text" | "long_text" => "text",
        "image" => "image",
        _ => "event",
    };
    let header = format!(
        "<xml><ToUserName><![CDATA[gh_3d5f1b2c7a90]]></ToUserName>\n<FromUserName><![CDATA[{}]]></FromUserName>\n\
         <CreateTime>{}</CreateTime>\n<MsgType><![CDATA[{msg_type}]]></MsgType>\n",
        numbers.open_id(),
        1_700_000_000 + numbers.next() % 10_000_000
    );
    let rest = match kind {
        "text" => {
            let length = 4 + numbers.next() % 21;
            text(length, numbers)
        }
        "long_text" => text(600, numbers),
        "click" => format!(
            "<Event><![CDATA[CLICK]]></Event>\n<EventKey><![CDATA[MENU_{:03}]]></EventKey>\n",
            numbers.next() % 1000
        ),
        "view" => format!(
            "<Event><![CDATA[VIEW]]></Event>\n<EventKey><![CDATA[https://m.example.com/orders?shop={:05}]]></EventKey>\n\
             <MenuId>{}</MenuId>\n",
            numbers.next() % 100_000,
            400_000_000 + numbers.next() % 100_000_000
        ),
        "template" => format!(
            "<Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event>\n<MsgID>{}</MsgID>\n\
             <Status><![CDATA[success]]></Status>\n",
            3_000_000_000_000_000_000 + numbers.next() % (1 << 60)
        ),
        "scan" => format!(
            "<Event><![CDATA[SCAN]]></Event>\n<EventKey><![CDATA[{:05}]]></EventKey>\n{}",
            numbers.next() % 100_000,
            ticket(numbers)
        ),
        "subscribe" => "<Event><![CDATA[subscribe]]></Event>\n<EventKey><![CDATA[]]></EventKey>\n".to_owned(),
        "subscribe_qr_code" => format!(
            "<Event><![CDATA[subscribe]]></Event>\n<EventKey><![CDATA[qrscene_{:05}]]></EventKey>\n{}",
            numbers.next() % 100_000,
            ticket(numbers)
        ),
        "location" => format!(
            "<Event><![CDATA[LOCATION]]></Event>\n<Latitude>23.{:06}</Latitude>\n<Longitude>113.{:06}</Longitude>\n\
             <Precision>119.{:06}</Precision>\n",
            numbers.next() % 1_000_000,
            numbers.next() % 1_000_000,
            numbers.next() % 1_000_000
        ),
        "image" => format!(
            "<PicUrl><![CDATA[http://mmbiz.qpic.cn/mmbiz_jpg/{}/0]]></PicUrl>\n<MediaId><![CDATA[{}]]></MediaId>\n{}",
            numbers.hex(80),
            numbers.hex(64),
            msg_id(numbers)
        ),
        _ => unreachable!(),
    };
    format!("{header}{rest}</xml>").into_bytes()
}

fn text(characters: u64, numbers: &mut Numbers) -> String {
    let content: String = (0..characters)
        .map(|_| char::from_u32(0x4e00 + u32::try_from(numbers.next() % 0x5000).unwrap()).unwrap())
        .collect();
    format!("<Content><![CDATA[{content}]]></Content>\n{}", msg_id(numbers))
}

fn msg_id(numbers: &mut Numbers) -> String {
    format!("<MsgId>{}</MsgId>\n", 20_000_000_000_000_000 + numbers.next() % (1 << 50))
}

fn ticket(numbers: &mut Numbers) -> String {
    format!("<Ticket><![CDATA[gQ{}==]]></Ticket>\n", numbers.hex(92))
}

/// One of each, and a text of 600 characters.
#[allow(dead_code, reason = "each bench takes what it needs")]
pub fn each() -> Vec<(&'static str, Vec<u8>)> {
    let mut numbers = Numbers(1);
    let kinds = MIX.iter().map(|(kind, _)| *kind).chain(["long_text"]);
    kinds.map(|kind| (kind, push(kind, &mut numbers))).collect()
}

/// So many distinct pushes, each kind by its share, shuffled.
#[allow(dead_code, reason = "each bench takes what it needs")]
pub fn mix(count: usize) -> Vec<Vec<u8>> {
    let mut numbers = Numbers(2);
    let kinds = MIX.iter().flat_map(|(kind, share)| std::iter::repeat_n(*kind, *share));
    let mut pushes: Vec<_> = kinds.cycle().take(count).map(|kind| push(kind, &mut numbers)).collect();
    for last in (1..pushes.len()).rev() {
        pushes.swap(last, usize::try_from(numbers.next()).unwrap() % (last + 1));
    }
    pushes
}
