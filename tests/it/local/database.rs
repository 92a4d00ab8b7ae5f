//! The sandbox's database: made once, found again, back with its data after a kill, and gone with the sandbox.

use std::net::TcpStream;

use claimctl::sandbox::database::HOST;

use crate::database::TestDatabase;
use crate::run::eventually;

#[test]
fn a_killed_database_is_back_on_its_port_with_its_login() {
    let database = TestDatabase::up();
    let before = (database.login.port, database.login.password.clone());
    database.login.change("CREATE TABLE kept (n BIGINT)");
    assert_eq!(database.login.change("INSERT INTO kept VALUES (1), (2)"), 2);
    database.kill();
    database.start_again();
    assert_eq!(database.login.number("SELECT COUNT(*) FROM kept"), 2);
    let status = database.status();
    assert!(status.running, "{status:?}");
    let again = database.read_login();
    assert_eq!((again.port, again.password), before);
    // Once more finds the one that is up.
    database.start_again();
    assert_eq!(database.status(), status);
}

#[test]
fn a_database_works_in_a_folder_whose_name_is_longer_than_that_of_a_socket_may_be() {
    let database = TestDatabase::below(&"long".repeat(40));
    assert!(database.data().as_os_str().len() > 107);
    assert!(database.status().running);
    let port = database.login.port;
    drop(database);
    eventually("the end of the database", || TcpStream::connect((HOST, port)).is_err().then_some(()));
}

#[test]
fn data_that_a_killed_start_has_begun_are_made_anew() {
    let database = TestDatabase::up();
    database.kill();
    let data = database.data();
    std::fs::rename(&data, data.with_file_name("data.new")).unwrap();
    database.start_again();
    assert!(database.status().running);
    assert!(!data.with_file_name("data.new").exists());
    assert_ne!(database.read_login().password, database.login.password);
}
