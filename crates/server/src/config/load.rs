//! Fills the configuration: defaults, then the file, the environment and the flags over them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::{Table, Value};

use super::Config;
use super::keys::{KEYS, Key, Kind};

/// The file that is read when none is named and this one is there.
const FILE: &str = "hyperion.toml";

/// A value that cannot be used: which, what it is, and what it may be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} = {value}{from} is not possible; allowed: {allowed}")]
pub struct ConfigError {
    key: String,
    value: String,
    from: String,
    allowed: String,
}

impl ConfigError {
    pub(super) fn new(key: &str, value: &dyn Display, allowed: impl Into<String>) -> Self {
        Self { key: key.to_owned(), value: value.to_string(), from: String::new(), allowed: allowed.into() }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The flags cannot be understood, or help was asked for; `clap` knows what to print.
    #[error(transparent)]
    Flags(#[from] clap::Error),
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {error}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{} is not valid TOML: {error}", path.display())]
    Toml {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        error: Box<toml::de::Error>,
    },
    /// The file has a key that does not exist.
    #[error("there is no key '{key}' ({from}); the keys are: {known}")]
    UnknownKey {
        /// The key.
        key: String,
        /// The file.
        from: String,
        /// All keys.
        known: String,
    },
    /// A value cannot be used.
    #[error(transparent)]
    Value(#[from] ConfigError),
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Loaded {
    /// Run with this configuration. The variables begin with `HYPERION_` but name no key.
    Run(Box<Config>, Vec<String>),
    /// `check`: say that the configuration is valid.
    Check(Box<Config>),
    /// `drain`: ask the node of this configuration to go down.
    Drain(Box<Config>),
    /// `sample-config`: print the sample file.
    SampleConfig,
}

/// Reads the command line (program name first) and the environment, and the file that they name.
pub fn load(
    args: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, LoadError> {
    let flags = command().try_get_matches_from(args)?;
    if flags.subcommand_name() == Some("sample-config") {
        return Ok(Loaded::SampleConfig);
    }
    let variables: BTreeMap<String, String> = environment
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .filter(|(name, _)| name.starts_with("HYPERION_"))
        .collect();

    let mut layers = Layers::default();
    if let Some(path) = file(&flags, &variables) {
        layers.read_file(&path)?;
    }
    layers.read_variables(&variables)?;
    layers.read_flags(&flags)?;
    let config = Box::new(layers.finish()?);
    let known = |name: &String| name == "HYPERION_CONFIG" || KEYS.iter().any(|key| key.variable() == *name);
    let unknown = variables.into_keys().filter(|name| !known(name)).collect();
    Ok(match flags.subcommand_name() {
        Some("check") => Loaded::Check(config),
        Some("drain") => Loaded::Drain(config),
        _ => Loaded::Run(config, unknown),
    })
}

fn command() -> Command {
    let command = Command::new("hyperion")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A video-conferencing server: web client, signalling and media in one.")
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .global(true)
                .help("Configuration file [hyperion.toml]"),
        )
        .subcommand(Command::new("check").about("Checks the configuration and exits"))
        .subcommand(
            Command::new("drain")
                .about("Asks the node of this configuration, on this machine, to go down: its people go on at others"),
        )
        .subcommand(Command::new("sample-config").about("Prints hyperion.sample.toml").hide(true));
    KEYS.iter().fold(command, |command, key| {
        let help = key.doc.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        let arg = Arg::new(key.name).long(key.flag()).global(true).help(help);
        command.arg(match key.kind {
            Kind::Switch => arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("BOOL"),
            Kind::List(_) => {
                let flag = key.flag();
                let singular = match flag.strip_suffix("ies") {
                    Some(stem) => format!("{stem}y"),
                    None => flag.trim_end_matches('s').to_owned(),
                };
                let arg = if singular == flag { arg } else { arg.visible_alias(singular) };
                arg.action(ArgAction::Append).value_name("LIST")
            }
            Kind::Number(..) => arg.value_name("N"),
            Kind::Choice(values) => arg.value_name(values.join("|")),
            Kind::Text(_) => arg.value_name("VALUE"),
        })
    })
}

fn file(flags: &ArgMatches, variables: &BTreeMap<String, String>) -> Option<PathBuf> {
    let named = flags.get_one::<String>("config").or_else(|| variables.get("HYPERION_CONFIG"));
    named.map(PathBuf::from).or_else(|| Path::new(FILE).exists().then(|| PathBuf::from(FILE)))
}

/// The values so far, and where each came from.
#[derive(Default)]
struct Layers {
    values: BTreeMap<&'static str, (Value, String)>,
}

impl Layers {
    fn read_file(&mut self, path: &Path) -> Result<(), LoadError> {
        let text = std::fs::read_to_string(path).map_err(|error| LoadError::File { path: path.to_owned(), error })?;
        self.read_text(&text, path)
    }

    fn read_text(&mut self, text: &str, path: &Path) -> Result<(), LoadError> {
        let table: Table =
            text.parse().map_err(|error| LoadError::Toml { path: path.to_owned(), error: Box::new(error) })?;
        let mut flat = Vec::new();
        flatten("", table, &mut flat);
        for (name, value) in flat {
            let Some(key) = KEYS.iter().find(|key| key.name == name) else {
                let known = KEYS.iter().map(|key| key.name).collect::<Vec<_>>().join(", ");
                return Err(LoadError::UnknownKey { key: name, from: path.display().to_string(), known });
            };
            self.set(key, value, format!("in {}", path.display()))?;
        }
        Ok(())
    }

    fn read_variables(&mut self, variables: &BTreeMap<String, String>) -> Result<(), LoadError> {
        for key in KEYS {
            if let Some(text) = variables.get(&key.variable()) {
                self.set(key, value_of(key, [text]), format!("in the environment, {}", key.variable()))?;
            }
        }
        Ok(())
    }

    fn read_flags(&mut self, flags: &ArgMatches) -> Result<(), LoadError> {
        for key in KEYS {
            if let Some(texts) = flags.get_many::<String>(key.name) {
                self.set(key, value_of(key, texts), format!("given by --{}", key.flag()))?;
            }
        }
        Ok(())
    }

    /// Takes a value if it is possible for its key alone.
    fn set(&mut self, key: &'static Key, value: Value, from: String) -> Result<(), ConfigError> {
        let in_range = match (&key.kind, &value) {
            (Kind::Number(min, max), Value::Integer(number)) => {
                u64::try_from(*number).is_ok_and(|number| (*min..=*max).contains(&number))
            }
            (Kind::Text(_), Value::String(text)) => !text.is_empty(),
            _ => true,
        };
        let alone = table_of_one(key.name, value.clone());
        if !in_range || alone.try_into::<Config>().is_err() {
            let error = ConfigError::new(key.name, &value, key.allowed());
            return Err(ConfigError { from: format!(" ({from})"), ..error });
        }
        self.values.insert(key.name, (value, from));
        Ok(())
    }

    fn finish(self) -> Result<Config, ConfigError> {
        let mut table = Table::new();
        for (name, (value, _)) in &self.values {
            insert(&mut table, name, value.clone());
        }
        // Every value was accepted alone, so together they are too.
        let config: Config =
            table.try_into().map_err(|error| ConfigError::new("configuration", &error, "see the sample"))?;
        config.check().map_err(|error| match self.values.get(error.key.as_str()) {
            Some((_, from)) => ConfigError { from: format!(" ({from})"), ..error },
            None => error,
        })?;
        Ok(config)
    }
}

/// What a flag or variable says, as TOML; what does not parse stays text, so that the message can show it.
fn value_of<'a>(key: &Key, texts: impl IntoIterator<Item = &'a String>) -> Value {
    let texts = texts.into_iter();
    if let Kind::List(_) = key.kind {
        let items = texts.flat_map(|text| text.split(',')).map(str::trim).filter(|item| !item.is_empty());
        return Value::Array(items.map(|item| Value::String(item.to_owned())).collect());
    }
    let text = texts.last().cloned().unwrap_or_default();
    match key.kind {
        Kind::Number(..) => text.parse().map_or(Value::String(text), Value::Integer),
        Kind::Switch => text.parse().map_or(Value::String(text), Value::Boolean),
        _ => Value::String(text),
    }
}

fn flatten(prefix: &str, table: Table, into: &mut Vec<(String, Value)>) {
    for (name, value) in table {
        let name = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) if !KEYS.iter().any(|key| key.name == name) => flatten(&name, inner, into),
            value => into.push((name, value)),
        }
    }
}

fn table_of_one(name: &str, value: Value) -> Table {
    let mut table = Table::new();
    insert(&mut table, name, value);
    table
}

fn insert(table: &mut Table, name: &str, value: Value) {
    match name.split_once('.') {
        None => {
            table.insert(name.to_owned(), value);
        }
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// The configuration as TOML; keys that are not set are absent.
pub(super) fn table_of(config: &Config) -> Table {
    Table::try_from(config).expect("the configuration has only what TOML has")
}

/// The value of a key.
pub(super) fn lookup<'a>(table: &'a Table, name: &str) -> Option<&'a Value> {
    match name.split_once('.') {
        None => table.get(name),
        Some((section, rest)) => lookup(table.get(section)?.as_table()?, rest),
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::config::{Redis, Turn};

    fn run(args: &[&str], variables: &[(&str, &str)]) -> Result<Config, LoadError> {
        let args = std::iter::once("hyperion").chain(args.iter().copied()).map(OsString::from);
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        match load(args, variables)? {
            Loaded::Run(config, _) | Loaded::Check(config) | Loaded::Drain(config) => Ok(*config),
            Loaded::SampleConfig => panic!("not asked for"),
        }
    }

    fn message(args: &[&str]) -> String {
        run(args, &[]).expect_err("not possible").to_string()
    }

    #[test]
    fn every_field_has_a_key() {
        let config = Config {
            tls_cert: Some("cert".into()),
            tls_key: Some("key".into()),
            data_dir: Some("data".into()),
            node: Some("node-1".parse().expect("a node id")),
            cluster_secret_file: Some("secret".into()),
            link_listen: Some("127.0.0.1:4600".parse().expect("an address")),
            redis: Redis { url: Some("redis://127.0.0.1:6379".to_owned()), ..Redis::default() },
            turn: Turn { secret_file: Some("secret".into()), ..Turn::default() },
            ..Config::default()
        };
        let mut fields = Vec::new();
        flatten("", table_of(&config), &mut fields);
        let mut fields: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        let mut keys: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
        fields.sort_unstable();
        keys.sort_unstable();
        assert_eq!(fields, keys);
    }

    #[test]
    fn without_anything_the_defaults_hold() {
        assert_eq!(run(&[], &[]).expect("valid"), Config::default());
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let mut layers = Layers::default();
        layers
            .read_text("media_port = 1000\nworkers = 3\n[limits]\ngrace_ms = 5\n", Path::new("h.toml"))
            .expect("valid");
        let variables = BTreeMap::from([
            ("HYPERION_MEDIA_PORT".to_owned(), "2000".to_owned()),
            ("HYPERION_LIMITS_GRACE_MS".to_owned(), "6".to_owned()),
        ]);
        layers.read_variables(&variables).expect("valid");
        layers.read_flags(&command().get_matches_from(["hyperion", "--media-port", "3000"])).expect("valid");
        let config = layers.finish().expect("valid");
        assert_eq!((config.media_port, config.workers, config.limits.grace_ms), (3000, 3, 6));
    }

    #[test]
    fn lists_and_switches_as_flags() {
        let config =
            run(&["--announce", "192.0.2.1,2001:db8::1", "--open", "--listen", "0.0.0.0:1"], &[]).expect("valid");
        assert_eq!(
            config.announce,
            ["192.0.2.1", "2001:db8::1"].map(|text| text.parse::<IpAddr>().expect("an address"))
        );
        assert!(config.open && config.beyond_loopback() && config.tls());
    }

    #[test]
    fn a_bad_value_is_named_with_its_key_and_what_is_allowed() {
        let text = message(&["--workers", "many"]);
        assert_eq!(
            text,
            "workers = \"many\" (given by --workers) is not possible; allowed: a whole number from 0 to 256"
        );
        for (flag, value) in [
            ("--listen", "localhost"),
            ("--media-port", "65536"),
            ("--announce", "0.0.0.0"),
            ("--log-format", "xml"),
            ("--log-level", "a=b=c"),
            ("--log-level", "loud"),
            ("--log-level", "info,sfu"),
            ("--allowed-origins", "https://example.org/"),
            ("--limits-grace-ms", "-1"),
            ("--tls-cert", "only-the-certificate.pem"),
            ("--data-dir", ""),
            ("--trusted-proxies", "nginx"),
            ("--trusted-proxies", "10.0.0.0/40"),
            ("--trusted-proxies", "0.0.0.0/0"),
            ("--trusted-proxies", "::/0"),
            ("--turn-urls", "https://turn.example.org"),
            ("--turn-urls", "turn:turn.example.org"),
            ("--turn-secret-file", "only-the-secret"),
            ("--kafka", "127.0.0.1"),
            ("--kafka", "127.0.0.1:0"),
            ("--kafka", ":9092"),
            ("--kafka", "::1:9092"),
            ("--kafka", "http://127.0.0.1:9092"),
        ] {
            let text = message(&[&format!("{flag}={value}")]);
            assert!(text.contains(value) && text.contains("allowed: "), "{flag}: {text}");
            assert!(text.starts_with(flag.trim_start_matches('-').split('-').next().unwrap_or_default()), "{text}");
        }
    }

    #[test]
    fn levels_and_directives_are_taken() {
        for level in ["warn", "DEBUG", "off", "info,sfu=debug", "info,sfu::worker=trace", "[span]=debug"] {
            assert_eq!(run(&["--log-level", level], &[]).expect("valid").log.level, level);
        }
    }

    #[test]
    fn unknown_keys_are_refused_with_the_list_of_keys() {
        let error = Layers::default().read_text("[limits]\ngrace = 1\n", Path::new("h.toml")).expect_err("unknown");
        let text = error.to_string();
        assert!(text.contains("'limits.grace' (h.toml)") && text.contains("limits.grace_ms"), "{text}");
    }

    #[test]
    fn beyond_loopback_only_with_open() {
        assert!(message(&["--listen", "0.0.0.0:4400"]).contains("--open"));
        assert!(run(&["--listen", "[::1]:4400"], &[]).is_ok());
    }

    #[test]
    fn a_proxy_elsewhere_is_trusted_by_its_address_or_range_and_does_not_replace_open() {
        let proxies = "--trusted-proxies=10.0.0.5,172.30.0.0/24,fd00::/64";
        let config = run(&["--listen=10.0.0.2:4400", "--open", proxies], &[]).expect("valid");
        let shown: Vec<String> = config.trusted_proxies.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["10.0.0.5", "172.30.0.0/24", "fd00::/64"]);
        assert!(config.tls(), "for everybody else");
        assert!(message(&["--listen=10.0.0.2:4400", proxies]).contains("--open"));
    }

    #[test]
    fn a_node_of_a_cluster_needs_what_makes_several_of_them_one() {
        let all =
            ["--redis=redis://127.0.0.1:6379", "--kafka=127.0.0.1:9092", "--node=node-1", "--cluster-secret-file=s"];
        assert!(run(&all, &[]).expect("valid").clustered());
        for (missing, key) in [(1, "kafka.brokers"), (2, "node"), (3, "cluster_secret_file")] {
            let args: Vec<&str> = all.iter().enumerate().filter(|(n, _)| *n != missing).map(|(_, arg)| *arg).collect();
            assert!(message(&args).starts_with(key), "{}", message(&args));
        }
        assert!(message(&["--node=Node_1"]).starts_with("node = "), "a name is a host's");
    }

    #[test]
    fn the_link_listens_in_a_cluster_at_an_address_that_others_can_be_told() {
        let cluster =
            ["--redis=redis://127.0.0.1:6379", "--kafka=127.0.0.1:9092", "--node=a", "--cluster-secret-file=s"];
        let with = |address: &str| run(&[&cluster[..], &["--link-listen", address]].concat(), &[]);
        for address in ["127.0.0.1:0", "10.0.0.2:4600", "[fd00::2]:4600"] {
            assert_eq!(with(address).expect("valid").link_listen, address.parse().ok());
        }
        for address in ["0.0.0.0:4600", "[::]:4600", "224.0.0.1:4600", "node-1:4600", "10.0.0.2"] {
            let refused = with(address).expect_err("no address").to_string();
            assert!(refused.starts_with("link_listen = ") && refused.contains(address), "{refused}");
        }
        let alone = message(&["--link-listen=127.0.0.1:4600"]);
        assert!(alone.contains("given by --link-listen") && alone.contains("beside redis.url only"), "{alone}");
    }

    #[test]
    fn redis_is_on_this_machine_or_has_a_password_unless_somebody_says_that_it_has_none() {
        let with = |url: &str, more: &[&str]| {
            let url = format!("--redis={url}");
            let others = ["--kafka=127.0.0.1:9092", "--node=a", "--cluster-secret-file=s"];
            run(&[&[url.as_str()][..], &others, more].concat(), &[]).map_err(|error| error.to_string())
        };
        for url in ["redis://localhost:6379", "redis://[::1]:6379/2", "redis://:hunter2@10.0.0.1:6379"] {
            with(url, &[]).expect("valid");
        }
        for url in ["redis://10.0.0.1:6379", "redis://user:@10.0.0.1:6379"] {
            let refused = with(url, &[]).expect_err("unprotected");
            assert!(refused.contains("--redis-dangerously-unprotected"), "{refused}");
            with(url, &["--redis-dangerously-unprotected"]).expect("said so");
        }
        for url in ["127.0.0.1:6379", "rediss://127.0.0.1:6379", "redis://127.0.0.1", "redis://:hunter2@"] {
            let refused = with(url, &[]).expect_err("no address");
            assert!(refused.contains("redis://host:port") && !refused.contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn kafka_is_on_this_machine_unless_somebody_says_that_it_is_unprotected() {
        let config = run(&["--kafka", "localhost:9092,[::1]:9093"], &[]).expect("valid");
        assert_eq!(config.kafka.brokers, ["localhost:9092", "[::1]:9093"]);
        assert_eq!(run(&[], &[("HYPERION_KAFKA", "127.0.0.1:1")]).expect("valid").kafka.brokers, ["127.0.0.1:1"]);
        for address in ["kafka:9092", "192.0.2.1:9092", "localhost.example.org:9092", "[2001:db8::1]:9092"] {
            let text = message(&["--kafka", address]);
            assert!(text.contains(address) && text.contains("--kafka-dangerously-unprotected"), "{text}");
            assert!(run(&["--kafka", address, "--kafka-dangerously-unprotected"], &[]).is_ok(), "{address}");
        }
    }

    #[test]
    fn variables_that_name_no_key_are_reported() {
        let variables = [(OsString::from("HYPERION_LISTNE"), OsString::from("x")), ("HOME".into(), "/".into())];
        let Ok(Loaded::Run(_, unknown)) = load([OsString::from("hyperion")], variables) else { panic!("runs") };
        assert_eq!(unknown, ["HYPERION_LISTNE"]);
    }
}
