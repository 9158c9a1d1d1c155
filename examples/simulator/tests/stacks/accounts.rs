//! `examples/accounts`: many accounts at once, in one process.

use std::process::{Command, Output, Stdio};
use std::{env, fs, thread};

use crate::copied;
use crate::server::{Server, account};

#[test]
fn check_finds_no_fault_in_two_accounts_at_once_nor_in_a_platform_beside_them() {
    let binary = copied::build("accounts");
    let file = env::temp_dir().join(format!("wechat-events-{}.db", std::process::id()));
    let run = |arguments: &[&str]| {
        let ended = Command::new(&binary).arg(&file).args(arguments).output().unwrap();
        assert!(ended.status.success(), "{arguments:?}: {ended:?}");
    };
    run(&["add", "plain", "another"]);
    let mut command = Command::new(&binary);
    command.arg(&file).args(["serve", "127.0.0.1:0"]).envs(account("safe"));
    let server = Server::spawn(command, "/wechat/{name} waits for WeChat");
    // While it serves.
    let [(_, token), _, (_, app_id), (_, key)] = account("safe")[..] else { panic!() };
    run(&["add", "sealed", token, app_id, key]);
    let accounts = [
        ("/wechat/plain", vec![("WECHAT_TOKEN", "another"), ("WECHAT_MODE", "plain")]),
        ("/wechat/sealed", account("compatible")),
        ("/wx0123456789abcdef/callback", account("safe")),
    ];
    thread::scope(|scope| {
        let checks = accounts.map(|(path, settings)| {
            scope.spawn({
                let url = format!("http://{}{path}", server.address);
                move || check(&url, &settings)
            })
        });
        for check in checks {
            let checked = check.join().unwrap();
            let said = String::from_utf8_lossy(&checked.stdout);
            assert!(checked.status.success(), "{said}\n{}", server.said.lock().unwrap());
        }
    });
    drop(server);
    fs::remove_file(&file).unwrap();
}

fn check(url: &str, settings: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wechat-simulator"))
        .args(["check", url])
        .envs(settings.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap()
}
