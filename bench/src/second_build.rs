//! The second `docker build` and push of the script that the function replaces: the same
//! application with another environment file, to a registry on this machine.

use std::error::Error;
use std::fs;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::results::{Measured, Processor, Samples};

pub(crate) const NAME: &str = "second-build";
/// The application's layer. It comes after the environment file, so it is built and pushed again.
const LAYER: usize = 40_000_000;
const DOCKERFILE: &str = "FROM scratch\nCOPY .env /app/.env\nCOPY application /app/application\n";
/// How long the registry may take to start.
const START: Duration = Duration::from_secs(20);

pub(crate) struct SecondBuild {
    folder: PathBuf,
    address: String,
    _registry: Child,
}

impl SecondBuild {
    /// Starts a registry.
    pub(crate) async fn new(folder: &Path) -> Result<SecondBuild, Box<dyn Error>> {
        let folder = folder.join("second-build");
        fs::create_dir_all(folder.join("context"))?;
        let address = {
            let free = TcpListener::bind(("127.0.0.1", 0))?;
            free.local_addr()?.to_string()
        };
        let storage = folder.join("storage");
        fs::create_dir_all(&storage)?;
        let configuration = folder.join("registry.yml");
        fs::write(
            &configuration,
            format!(
                "version: 0.1\nlog:\n  accesslog:\n    disabled: true\n  level: error\nstorage:\n  \
                 filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n",
                storage.display()
            ),
        )?;
        let registry = Command::new("docker-registry")
            .arg("serve")
            .arg(&configuration)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let started = Instant::now();
        while tokio::net::TcpStream::connect(&address).await.is_err() {
            if started.elapsed() > START {
                return Err("docker-registry does not answer".into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(SecondBuild { folder, address, _registry: registry })
    }

    pub(crate) fn measured() -> Measured {
        Measured {
            name: NAME.to_owned(),
            words: "the second `docker build` and push, a layer of 40 MB".to_owned(),
            zipped: None,
        }
    }

    /// Builds and pushes for staging, and then measures the same for production.
    pub(crate) async fn measure(&self, samples: &mut Samples) -> Result<(), Box<dyn Error>> {
        let context = self.folder.join("context");
        fs::write(context.join("Dockerfile"), DOCKERFILE)?;
        let application: Vec<u8> =
            std::iter::repeat_with(|| fastrand::u8(..)).take(LAYER).collect();
        fs::write(context.join("application"), application)?;
        self.build_and_push(&context, "staging", "latest").await?;
        let before = size(&self.folder.join("storage"))?;
        let start = Instant::now();
        self.build_and_push(&context, "production", "production_9fceb02").await?;
        let took = start.elapsed().as_secs_f64() * 1e3;
        let moved = size(&self.folder.join("storage"))?.saturating_sub(before);
        // The update that comes after it is not in it.
        for time in ["cold", "cold to update", "warm", "warm to update"] {
            samples.add(NAME, Processor::Whole, &format!("{time} ms at 20"), took);
        }
        for time in ["first", "warm"] {
            for name in ["kB", "registry kB"] {
                samples.add(NAME, Processor::Whole, &format!("{name} {time}"), moved as f64 / 1e3);
            }
        }
        Ok(())
    }

    async fn build_and_push(&self, context: &Path, stage: &str, tag: &str) -> io::Result<()> {
        fs::write(context.join(".env"), format!("STAGE={stage}\nRUN={}\n", fastrand::u64(..)))?;
        let image = format!("{}/web:{tag}", self.address);
        let context = context.display().to_string();
        docker(&["build", "--quiet", "--tag", &image, &context]).await?;
        docker(&["push", "--quiet", &image]).await?;
        docker(&["image", "rm", "--force", &image]).await
    }
}

async fn docker(arguments: &[&str]) -> io::Result<()> {
    let output = Command::new("docker").args(arguments).stdin(Stdio::null()).output().await?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("docker {}: {words}", arguments.join(" "))))
}

/// The bytes of all files in a folder.
fn size(folder: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        sum += if is_folder { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(sum)
}
