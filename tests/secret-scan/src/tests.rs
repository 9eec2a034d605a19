//! Plants a secret in every form and looks for it.

#![allow(clippy::unwrap_used)]

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};

use super::*;

const SECRET: &[u8] = b"7000001:AAH\xfe\xffk3b_01/2345+67";

fn scanner() -> Scanner {
    let mut scanner = Scanner::new();
    scanner.add("token", SECRET).unwrap();
    scanner
}

fn forms(haystack: &[u8]) -> Vec<Form> {
    let mut forms: Vec<Form> = scanner()
        .bytes(haystack)
        .into_iter()
        .map(|found| found.form)
        .collect();
    forms.dedup();
    forms
}

#[test]
fn each_form_is_found_in_its_surroundings() {
    let around = |middle: &[u8]| [b"{\"msg\":\"x=", middle, b"\"}\n"].concat();
    assert_eq!(forms(&around(SECRET)), [Form::Raw]);
    assert_eq!(forms(&around(hex::encode(SECRET).as_bytes())), [Form::Hex]);
    assert_eq!(
        forms(&around(hex::encode_upper(SECRET).as_bytes())),
        [Form::Hex]
    );
    for digits in [b"0123456789ABCDEF", b"0123456789abcdef"] {
        assert_eq!(
            forms(&around(&url_encoded(SECRET, digits))),
            [Form::UrlEncoded]
        );
    }
}

#[test]
fn base64_is_found_at_every_alignment_in_both_alphabets_whatever_is_around_it() {
    for before in 0..7_usize {
        for after in 0..4_usize {
            let longer = [&vec![0xa5; before][..], SECRET, &vec![0x5a; after][..]].concat();
            assert_eq!(
                forms(BASE64_STANDARD.encode(&longer).as_bytes()),
                [Form::Base64],
                "{before} {after}"
            );
            assert_eq!(
                forms(BASE64_URL_SAFE.encode(&longer).as_bytes()),
                [Form::Base64],
                "{before} {after}"
            );
        }
    }
}

#[test]
fn what_only_looks_like_it_is_not_found() {
    let mut other = SECRET.to_vec();
    other[12] ^= 1;
    for haystack in [
        other.clone(),
        hex::encode(&other).into_bytes(),
        BASE64_STANDARD.encode(&other).into_bytes(),
    ] {
        assert_eq!(scanner().bytes(&haystack), []);
    }
    assert_eq!(scanner().bytes(&SECRET[1..]), [], "a part is not the whole");
}

#[test]
fn a_planted_secret_is_found_in_a_tree_also_across_chunks() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("log")).unwrap();
    let clean = folder.path().join("clean.txt");
    std::fs::write(&clean, vec![b'a'; 3 * CHUNK]).unwrap();
    assert_eq!(scanner().tree(folder.path()).unwrap(), []);

    let planted = folder.path().join("log/worker.log");
    let offset = CHUNK - SECRET.len() / 2;
    let text = [&vec![b'.'; offset][..], SECRET, &vec![b'.'; CHUNK][..]].concat();
    std::fs::write(&planted, text).unwrap();
    let findings = scanner().tree(folder.path()).unwrap();
    let expected = Finding {
        needle: "token".to_owned(),
        form: Form::Raw,
        file: Some(planted),
        offset: offset as u64,
    };
    assert_eq!(findings, [expected]);
    assert!(
        !findings[0].to_string().contains("AAH"),
        "a finding does not repeat the secret"
    );
}

#[test]
fn a_short_needle_is_refused() {
    let error = Scanner::new().add("pin", b"1234").unwrap_err();
    assert_eq!(
        error.to_string(),
        "a needle of 4 bytes would be found everywhere; 8 is the least"
    );
}
