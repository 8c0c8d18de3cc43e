//! Files with a secret: that of the cluster, that of the TURN server.

use std::path::Path;

use anyhow::Context as _;

use crate::config::Config;

/// Shortest secret, in bytes: as many as the keys that are made of it have.
const LENGTH_MIN: usize = 32;

/// The cluster's secrets, if there are any.
pub(crate) fn cluster(config: &Config) -> anyhow::Result<Option<Vec<String>>> {
    let path = config.cluster_secret_file.as_ref();
    path.map(|path| read(path, "the cluster's secret", "cluster-secret-file")).transpose()
}

/// Reads the secrets of a file, one on each line. At least one. For messages: what it is, and the flag that names it.
pub(crate) fn read(path: &Path, what: &str, flag: &str) -> anyhow::Result<Vec<String>> {
    let shown = path.display();
    let text =
        std::fs::read_to_string(path).with_context(|| format!("{what} cannot be read from {shown} (--{flag})"))?;
    let secrets: Vec<String> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    anyhow::ensure!(
        !secrets.is_empty() && secrets.iter().all(|secret| secret.len() >= LENGTH_MIN),
        "every line of {shown} has to be a secret of {LENGTH_MIN} characters or more; `openssl rand -hex 32` makes one"
    );
    Ok(secrets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> anyhow::Result<Vec<String>> {
        let path = std::env::temp_dir().join(format!("hyperion-secret-{:016x}", rand::random::<u64>()));
        std::fs::write(&path, text).expect("a temporary file");
        let secrets = read(&path, "the secret", "secret-file");
        std::fs::remove_file(&path).expect("the temporary file");
        secrets
    }

    #[test]
    fn each_line_is_a_secret() {
        let (one, other) = ("a".repeat(32), "b".repeat(64));
        assert_eq!(read_text(&format!("{one}\n\n  {other} \n")).expect("two secrets"), [one, other]);
    }

    #[test]
    fn what_is_short_or_missing_is_refused_with_what_to_do() {
        for text in ["", "\n", "short", &format!("{}\nshort", "a".repeat(32))] {
            let error = read_text(text).expect_err("no secret").to_string();
            assert!(error.contains("openssl rand -hex 32"), "{error}");
        }
        let error = read(Path::new("/nowhere/secret"), "the secret", "secret-file").expect_err("no file").to_string();
        assert!(error.contains("the secret cannot be read from /nowhere/secret (--secret-file)"), "{error}");
    }
}
