//! A headless Chromium with a profile of its own, driven over WebDriver. It ends with the test,
//! whatever comes of that.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fantoccini::elements::Element;
use fantoccini::wd::{TimeoutConfiguration, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, SemaphorePermit};
use url::{ParseError, Url};

/// How long a page may take to become what is waited for, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);

/// What Chromium and its driver are called.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const DRIVER: &str = "chromedriver";

/// One browser for each core: more tests than that run side by side, since most of them wait.
static TURNS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)));

pub(crate) struct Browser {
    pub(crate) client: Client,
    driver: Child,
    folder: PathBuf,
    _turn: SemaphorePermit<'static>,
}

/// Whether a page is looked at by day or by night.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scheme {
    Light,
    Dark,
}

pub(crate) const SCHEMES: [Scheme; 2] = [Scheme::Light, Scheme::Dark];

impl Scheme {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Scheme::Light => "light",
            Scheme::Dark => "dark",
        }
    }
}

impl Browser {
    /// Nothing, said loudly, where there is no Chromium.
    pub(crate) async fn start() -> Option<Browser> {
        let (Some(browser), Some(driver)) =
            (BROWSERS.iter().find_map(|name| find(name)), find(DRIVER))
        else {
            let name = std::thread::current().name().unwrap_or("a test").to_owned();
            left_out(&format!(
                "{name} needs Chromium and its driver (Debian, Ubuntu: sudo apt install chromium \
                 chromium-driver)"
            ));
            return None;
        };
        let turn = TURNS.acquire().await.expect("nobody closes it");
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let folder = format!(
            "ecr-promoter-browser-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir_all(&folder).expect("a folder for the profile");
        let (driver, port) = start_driver(&driver, &folder).await;
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(&browser))
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap_or_else(|e| panic!("{} starts: {e}", browser.display()));
        client
            .update_timeouts(TimeoutConfiguration::new(Some(PATIENCE), Some(PATIENCE), None))
            .await
            .expect("timeouts");
        Some(Browser { client, driver, folder, _turn: turn })
    }

    /// Chromium and its driver end in order, so that nothing of them stays.
    pub(crate) async fn close(mut self) {
        let closed = self.client.clone().close().await;
        self.driver.kill().await.expect("chromedriver ends");
        let _ = std::fs::remove_dir_all(&self.folder);
        closed.expect("Chromium ends");
    }

    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|e| panic!("a page opens: {e}"));
    }

    /// All text of the page, as a person sees it.
    pub(crate) async fn text(&self) -> String {
        self.find("body").await.text().await.expect("text")
    }

    /// Opens all parts of the page that can be opened, as a person does who wants to know more.
    pub(crate) async fn unfold(&self) {
        self.run("document.querySelectorAll('details').forEach((part) => { part.open = true })")
            .await;
    }

    /// The page says all of this.
    pub(crate) async fn says(&self, words: &[&str]) {
        let text = self.text().await;
        for said in words {
            assert!(text.contains(said), "{said:?} is not in:\n{text}");
        }
    }

    /// The page says this, once it does.
    pub(crate) async fn wait_for(&self, words: &str) {
        self.wait(&format!("contains(normalize-space(.), \"{words}\")")).await;
    }

    /// The page does not say this any more, once it does not: after a form is sent, the form's
    /// page stays for a while.
    pub(crate) async fn wait_until_gone(&self, words: &str) {
        self.wait(&format!("not(contains(normalize-space(.), \"{words}\"))")).await;
    }

    async fn wait(&self, main: &str) {
        let here = format!("//main[{main}]");
        if let Err(error) =
            self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(&here)).await
        {
            panic!("{main} ({error}) is not so in:\n{}", self.text().await);
        }
    }

    pub(crate) async fn find(&self, css: &str) -> Element {
        self.client.find(Locator::Css(css)).await.unwrap_or_else(|e| panic!("{css}: {e}"))
    }

    pub(crate) async fn count(&self, css: &str) -> usize {
        self.client.find_all(Locator::Css(css)).await.expect("a selector").len()
    }

    /// Types into the field of that label, as a person finds it.
    pub(crate) async fn fill(&self, label: &str, text: &str) {
        let label = format!("//label[normalize-space(.)=\"{label}\"]");
        let label = self
            .client
            .find(Locator::XPath(&label))
            .await
            .unwrap_or_else(|e| panic!("{label}: {e}"));
        let id = label.attr("for").await.expect("an element").expect("the label says whose it is");
        self.find(&format!("#{id}")).await.send_keys(text).await.expect("a field");
    }

    /// Presses the link or button of that name, once it is there. A page that refreshes may take it
    /// away before it is pressed: then the next page's is pressed.
    pub(crate) async fn press(&self, name: &str) {
        let named = format!("//*[self::a or self::button][normalize-space(.)=\"{name}\"]");
        loop {
            let found =
                self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(&named)).await;
            let Ok(found) = found else {
                panic!("there is no {name:?} to press in:\n{}", self.text().await)
            };
            match found.click().await {
                Err(error) if error.is_stale_element_reference() => {}
                pressed => return pressed.unwrap_or_else(|e| panic!("{name}: {e}")),
            }
        }
    }

    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap_or_else(|e| panic!("{script}: {e}"))
    }

    /// What the console says, by Chromium's own words; each line is said once.
    pub(crate) async fn console(&self) -> Vec<String> {
        let lines = self
            .client
            .issue_cmd(Vendor { path: "se/log", body: json!({ "type": "browser" }) })
            .await
            .expect("the console");
        lines
            .as_array()
            .into_iter()
            .flatten()
            .map(|line| line["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    pub(crate) async fn use_scheme(&self, scheme: Scheme) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme.name() });
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": [feature] })).await;
    }

    /// Gives the page that is open this width, and waits until it has it. A page that is opened
    /// afterwards may get it late.
    pub(crate) async fn use_width(&self, width: u32) {
        let size =
            json!({ "width": width, "height": 844, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", &size).await;
        let script = "const [width, done] = arguments; \
                      const look = () => { \
                          if (innerWidth !== width) return; \
                          removeEventListener('resize', look); \
                          done(); \
                      }; \
                      addEventListener('resize', look); \
                      look();";
        let resized = self.client.execute_async(script, vec![json!(width)]).await;
        resized.unwrap_or_else(|e| panic!("the page is not {width} px wide: {e}"));
    }

    /// The whole page, as PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        let size = self
            .run("return [document.documentElement.clientWidth, document.body.offsetHeight]")
            .await;
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 });
        let picture = self
            .devtools(
                "Page.captureScreenshot",
                &json!({ "captureBeyondViewport": true, "clip": clip }),
            )
            .await;
        STANDARD.decode(picture["data"].as_str().unwrap_or_default()).expect("base64")
    }

    async fn devtools(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.client
            .issue_cmd(Vendor { path: "goog/cdp/execute", body })
            .await
            .unwrap_or_else(|e| panic!("{command}: {e}"))
    }
}

/// What WebDriver has no words for.
#[derive(Debug)]
struct Vendor {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Vendor {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

/// The driver, and the port that it listens on.
async fn start_driver(driver: &Path, folder: &Path) -> (Child, u16) {
    let mut said = String::new();
    // It takes a free port of IPv4 and then wants the same one of IPv6, which may not be free: then
    // it ends.
    for _ in 0..10 {
        let mut process = Command::new(driver)
            .args(["--port=0", "--log-level=SEVERE"])
            .envs([
                ("HOME", folder),
                ("TMPDIR", folder),
                ("XDG_CACHE_HOME", folder),
                ("XDG_CONFIG_HOME", folder),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        while let Some(line) = lines.next_line().await.expect("what chromedriver says") {
            if let Some((_, port)) = line.split_once("successfully on port ") {
                return (process, port.trim_end_matches('.').parse().expect("a port"));
            }
            said.push_str(&line);
            said.push('\n');
        }
    }
    panic!("chromedriver does not start: {said}");
}

fn capabilities(browser: &Path) -> serde_json::Map<String, Value> {
    let mut arguments = vec![
        "--headless=new",
        "--no-proxy-server",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        // Chromium then ends with its driver, however that ends.
        "--remote-debugging-pipe",
    ];
    // Chromium has no sandbox for root, as in a container.
    if std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        arguments.push("--no-sandbox");
    }
    let capabilities = json!({
        "goog:chromeOptions": { "binary": browser, "args": arguments },
        "goog:loggingPrefs": { "browser": "ALL" },
    });
    capabilities.as_object().cloned().expect("an object")
}

fn find(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Not `eprintln!`: the test harness would swallow it, and what was left out must not look like
/// what passed.
pub(crate) fn left_out(what: &str) {
    let _ = std::io::stderr().write_all(format!("LEFT OUT: {what}\n").as_bytes());
}
