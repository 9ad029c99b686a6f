//! Pictures of the checkout pages on a phone, by a real browser under their own content security policy, into
//! `tests/output/checkout/`: `cargo nextest run -p commerce --run-ignored only pictures`.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use commerce::{port::Charged, store::Store};
use tokio::{net::TcpListener, task::spawn_blocking};

use crate::{
    databases,
    partners::{Page, Reply},
    till::{PHONE, Till, approved},
};

const TAKEN: Reply = Reply::Says(200, Vec::new(), r#"{"RspCode":"00","Message":""}"#);

/// The viewport of a usual phone.
const WINDOW: &str = "--window-size=500,980";

struct Camera {
    address: SocketAddr,
    folder: PathBuf,
}

impl Camera {
    async fn of(till: &Till) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/output/checkout");
        fs::create_dir_all(&folder).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = till.router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, folder }
    }

    async fn take(&self, name: &str, path: &str) {
        let picture = self.folder.join(format!("{name}.png"));
        let url = format!("http://{}{path}", self.address);
        let profile = tempfile::tempdir().unwrap();
        let taken = picture.clone();
        let output = spawn_blocking(move || {
            Command::new("chromium")
                .args([
                    "--headless=new",
                    "--no-sandbox",
                    "--hide-scrollbars",
                    "--disable-gpu",
                ])
                .args(["--force-device-scale-factor=1.5", WINDOW])
                .arg(format!("--user-data-dir={}", profile.path().display()))
                .arg(format!("--screenshot={}", taken.display()))
                .arg(url)
                .output()
                .unwrap()
        });
        let output = output.await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(picture.exists(), "{said}");
        assert!(!said.contains("Content Security Policy"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes pictures by Chromium"]
async fn every_stage_of_the_checkout_looks_as_it_should() {
    let (_folder, location) = databases::sqlite();
    let store = Store::open(&location).await.unwrap();
    let shop = Page::start([TAKEN]).await;
    let till = Till::new(&store, &shop).await;
    let camera = Camera::of(&till).await;
    let page = till.open("DH-1001").await;
    camera.take("1-phone", &page).await;
    till.post(&page, "phone", &[("phone", PHONE)]).await;
    camera.take("2-code", &page).await;
    let code = till.code().await;
    till.post(&page, "code", &[("code", &code)]).await;
    camera.take("3-waiting", &page).await;
    till.bank_says([None, Some(Charged::Reversing), approved()]);
    till.work().await;
    camera.take("4-unknown", &page).await;
    till.bank_says([approved()]);
    till.pass(60_000);
    till.work().await;
    camera.take("5-paid", &page).await;
    let page = till.open("DH-1002").await;
    till.bank_says([Some(Charged::Declined {
        response_code: "51".to_owned(),
    })]);
    till.pay(&page).await;
    camera.take("6-declined", &page).await;
    let page = till.open("DH-1003").await;
    till.bank_says([Some(Charged::Reversing)]);
    till.pay(&page).await;
    camera.take("7-reversing", &page).await;
    camera.take("8-bad-link", "/pay?merchant=shop-1").await;
}
