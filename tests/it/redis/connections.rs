//! Every kind of connection that the store may be given, against what it is made for.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::Client;
use redis::cluster::ClusterClient;
use redis::sentinel::{SentinelClient, SentinelServerType};
use tokio::time::{Instant, sleep};
use wechat_events::store::{Carrier, Claimed, Redis, RedisError, Status, Store, WhenDown};

use super::{PREFIX, answer, ask, key, ms, new, record, up};
use crate::redis_server::Server;

/// A push on one machine and its retry on the other, forty times.
async fn pushes(a: &Redis, b: &Redis) {
    for n in 0..40 {
        let claim = new(a.claim(key(n), 0).await);
        assert!(matches!(b.claim(key(n), 0).await, Claimed::Running { .. }), "{n}");
        a.renew(&claim, 0).await.unwrap();
        a.finish(&claim, &answer("reply"), None, 0).await.unwrap();
        assert!(matches!(b.claim(key(n), 0).await, Claimed::Done { answer, .. } if *answer == *b"reply"), "{n}");
        assert!(b.carry(key(n), Carrier::Delivery, 0).await, "{n}");
        assert!(!a.carry(key(n), Carrier::Late, 0).await, "{n}");
    }
}

#[tokio::test]
async fn a_multiplexed_connection_works_until_it_breaks() {
    let Some(server) = Server::start() else { return };
    let client = Client::open(server.url()).unwrap();
    let store = async || Redis::new(client.get_multiplexed_async_connection().await.unwrap(), PREFIX).unwrap();
    let (a, b) = (store().await, store().await);
    a.check().await.unwrap();
    b.check().await.unwrap();
    pushes(&a, &b).await;
    let _: u64 = ask(&server, &[b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"yes"]).await;
    assert!(matches!(a.check().await, Err(RedisError::Away(_))));
    sleep(ms(300)).await;
    assert!(matches!(a.check().await, Err(RedisError::Away(_))), "as its documentation says");
    new(a.claim(key(99), 0).await); // in this process
}

#[tokio::test]
async fn a_connection_manager_comes_back() {
    let Some(mut server) = Server::start() else { return };
    let client = Client::open(server.url()).unwrap();
    let store = async || Redis::new(client.get_connection_manager().await.unwrap(), PREFIX).unwrap();
    let (a, b) = (store().await, store().await);
    a.check().await.unwrap();
    b.check().await.unwrap();
    pushes(&a, &b).await;
    server.kill();
    assert!(matches!(a.check().await, Err(RedisError::Away(_))));
    server.restart();
    up(&a).await;
    up(&b).await;
    let claim = new(a.claim(key(99), 0).await);
    assert!(matches!(b.claim(key(99), 0).await, Claimed::Running { .. }));
    a.finish(&claim, &answer("reply"), None, 0).await.unwrap();
}

#[tokio::test]
async fn a_cluster_of_three_holds_pushes_on_each_of_its_nodes() {
    let Some(servers) = Server::start_cluster() else { return };
    let client = ClusterClient::new(servers.iter().map(Server::url).collect::<Vec<_>>()).unwrap();
    let store = async || Redis::new(client.get_async_connection().await.unwrap(), PREFIX).unwrap();
    let (a, b) = (store().await, store().await);
    a.check().await.unwrap();
    b.check().await.unwrap();
    pushes(&a, &b).await;
    for server in &servers {
        let keys: u64 = ask(server, &[b"DBSIZE"]).await;
        assert!(keys > 0, "port {}", server.port);
    }
    for server in &servers {
        server.say("SCRIPT FLUSH");
    }
    let claim = new(a.claim(key(99), 0).await);
    a.finish(&claim, &answer("reply"), None, 0).await.unwrap();
    assert!(matches!(b.claim(key(99), 0).await, Claimed::Done { .. }));
}

#[tokio::test]
async fn one_node_of_a_cluster_says_moved_and_goes_on_saying_it() {
    let Some(servers) = Server::start_cluster() else { return };
    let moved = "MOVED: this is one node of a Redis Cluster, and others hold some of the pushes: give the store a \
                 ClusterConnection";
    let statuses = Arc::new(Mutex::new(vec![]));
    let told = statuses.clone();
    let redis = Redis::builder(PREFIX).on_status(move |status| told.lock().unwrap().push(status.clone()));
    let redis = redis.connect(&servers[0].url()).unwrap();
    assert_eq!(redis.check().await, Err(RedisError::Away(moved.into())));
    for n in 0..50 {
        new(redis.claim(key(n), 0).await); // in this process
        sleep(ms(10)).await;
    }
    assert_eq!(*statuses.lock().unwrap(), [Status::Down { reason: moved.into() }], "once, and never up");
}

#[tokio::test]
async fn behind_sentinel_the_next_primary_is_found_and_the_run_is_known_there() {
    let Some([mut primary, replica, sentinel]) = Server::start_sentinel() else { return };
    let store = || {
        let client = SentinelClient::build(vec![sentinel.url()], "mymaster", None, SentinelServerType::Master);
        let client = Arc::new(tokio::sync::Mutex::new(client.unwrap()));
        let redis = Redis::builder(PREFIX).when_down(WhenDown::Refuse).connect_with(move || {
            let client = client.clone();
            async move { client.lock().await.get_async_connection().await }
        });
        redis.unwrap()
    };
    let (a, b) = (Arc::new(store()), store());
    a.check().await.unwrap();
    b.check().await.unwrap();
    pushes(&a, &b).await;
    let run = new(a.claim(key(99), 0).await);
    primary.kill();
    // It insists until there is a primary again.
    let renewing = a.clone();
    let renewal = tokio::spawn(async move { renewing.renew(&run, 0).await });
    let start = Instant::now();
    while b.check().await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(20), "no failover");
        sleep(ms(50)).await;
    }
    assert_eq!(renewal.await.unwrap(), Ok(()));
    assert!(matches!(b.claim(key(99), 0).await, Claimed::Running { .. }));
    a.finish(&run, &answer("reply"), None, 0).await.unwrap();
    assert!(matches!(b.claim(key(99), 0).await, Claimed::Done { .. }));
    assert!(record(&replica, key(99)).await.ends_with("\nreply"));
    eprintln!("a failover took {:?}", start.elapsed());
}

#[tokio::test]
async fn an_acl_user_needs_what_the_docs_say_and_nothing_else() {
    let Some(server) = Server::start() else { return };
    let docs = include_str!("../../../src/dedup/redis/mod.rs");
    let rule = docs.lines().find_map(|line| line.strip_prefix("/// ACL SETUSER ")).unwrap();
    assert!(server.say(&format!("ACL SETUSER {rule}")).starts_with("+OK"));
    assert!(server.say("ACL SETUSER default off").starts_with("+OK"));
    let url = |password: &str| format!("redis://push:{password}@127.0.0.1:{}/", server.port);
    let store = || Redis::builder("shop:push:").connect(&url("password")).unwrap();
    let (a, b) = (store(), store());
    a.check().await.unwrap();
    b.check().await.unwrap();
    pushes(&a, &b).await;

    let quiet = |prefix| Redis::builder(prefix).on_status(|_| {});
    let wrong = quiet("shop:push:").connect(&url("wrong")).unwrap();
    let Err(RedisError::Away(reason)) = wrong.check().await else { panic!() };
    assert!(reason.contains("AuthenticationFailed") && !reason.contains("wrong"), "{reason}");
    let elsewhere = quiet("another:").connect(&url("password")).unwrap();
    let Err(RedisError::Away(reason)) = elsewhere.check().await else { panic!() };
    assert!(reason.starts_with("NoPerm: this user has no permissions"), "{reason}");
    let nobody = quiet("shop:push:").connect(&server.url()).unwrap();
    let Err(RedisError::Away(reason)) = nobody.check().await else { panic!() };
    assert!(reason.contains("NOAUTH"), "{reason}");
}

/// As rustls panics where it was not told whose cryptography to use.
#[tokio::test]
async fn a_panic_while_connecting_is_told_and_tried_again() {
    let Some(server) = Server::start() else { return };
    let (client, calls) = (Client::open(server.url()).unwrap(), Arc::new(AtomicU8::new(0)));
    let (statuses, called) = (Arc::new(Mutex::new(vec![])), calls.clone());
    let told = statuses.clone();
    let redis = Redis::builder(PREFIX).on_status(move |status| told.lock().unwrap().push(status.clone()));
    let redis = redis.connect_with(move || {
        let (client, call) = (client.clone(), called.fetch_add(1, Ordering::SeqCst));
        assert!(call != 1, "not twice at once");
        async move {
            assert!(call != 0, "no CryptoProvider");
            client.get_multiplexed_async_connection().await
        }
    });
    let redis = redis.unwrap();
    let reason = "connecting panics: no CryptoProvider".to_owned();
    assert_eq!(redis.check().await, Err(RedisError::Away(reason.clone())));
    let start = Instant::now();
    while redis.check().await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(15), "it gave up");
        sleep(ms(50)).await;
    }
    assert_eq!(*statuses.lock().unwrap(), [Status::Down { reason }, Status::Up]);
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}
