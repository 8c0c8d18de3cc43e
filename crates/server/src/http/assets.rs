//! The web client, embedded at build time.

use std::collections::HashMap;
use std::io::Write as _;

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use rust_embed::RustEmbed;

/// What `npm run build` leaves; nothing, where the web client was not built.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

/// Below this a compressed answer saves no packet.
const COMPRESS_BYTES_MIN: usize = 1_024;
/// The page that draws all pages.
const INDEX: &str = "index.html";
/// The bundler puts a hash of the content into the names of these files.
const HASHED: &str = "assets/";

const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Hyperion</title>\
    <h1>This server was built without its web client</h1>\
    <p>Build it, then the server again: <code>script/server</code> does both.</p></html>";

/// A file as it is sent, compressed once.
struct Asset {
    content_type: &'static str,
    cache_control: &'static str,
    etag: HeaderValue,
    plain: Bytes,
    gzip: Option<Bytes>,
}

/// The web client's files.
pub(super) struct Assets {
    files: HashMap<String, Asset>,
}

impl Assets {
    /// The files that were embedded; without any, a page that says how to build them.
    pub(super) fn embedded() -> Self {
        let files = Dist::iter().filter_map(|path| Some((path.to_string(), Dist::get(&path)?.data.into_owned())));
        Self::new(files)
    }

    fn new(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let mut files: HashMap<String, Asset> =
            files.into_iter().map(|(path, bytes)| (path.clone(), Asset::new(&path, bytes))).collect();
        files.entry(INDEX.to_owned()).or_insert_with(|| Asset::new(INDEX, NOT_BUILT.into()));
        Self { files }
    }

    /// Answers a request for `path`, which begins with a slash; `None` when there is no such page or file.
    pub(super) fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Option<Response> {
        let path = if is_page(path) { INDEX } else { path.strip_prefix('/')? };
        let asset = self.files.get(path)?;
        if method != Method::GET && method != Method::HEAD {
            return Some(StatusCode::METHOD_NOT_ALLOWED.into_response());
        }
        Some(asset.answer(headers))
    }

    /// Answers for what is not there: whoever opened it in a browser gets the client, which shows the way to the start.
    pub(super) fn not_found(&self, method: &Method, headers: &HeaderMap) -> Response {
        let browses = contains(headers, ACCEPT, &HeaderValue::from_static("text/html"));
        let page = self.files.get(INDEX).filter(|_| browses && matches!(*method, Method::GET | Method::HEAD));
        let mut response = match page {
            Some(page) => {
                let mut headers = headers.clone();
                headers.remove(IF_NONE_MATCH);
                page.answer(&headers)
            }
            None => ([(CONTENT_TYPE, content_type("txt"))], "not found\n").into_response(),
        };
        *response.status_mut() = StatusCode::NOT_FOUND;
        response
    }
}

/// Pages that the web client draws by itself: the start page and `/r/{room}`.
fn is_page(path: &str) -> bool {
    let room = |rest: &str| !rest.is_empty() && !rest.contains('/');
    path == "/" || path.strip_prefix("/r/").is_some_and(|rest| room(rest.strip_suffix('/').unwrap_or(rest)))
}

impl Asset {
    fn new(path: &str, bytes: Vec<u8>) -> Self {
        let content_type = content_type(path);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
        let hash: String = digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let cache_control = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
        Self {
            content_type,
            cache_control,
            // Weak: the compressed form has the same tag.
            etag: HeaderValue::try_from(format!("W/\"{hash}\"")).expect("hexadecimal digits"),
            gzip: if is_text(content_type) { gzip(&bytes) } else { None },
            plain: bytes.into(),
        }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let mut response = Response::new(Body::empty());
        let fixed = [
            (CACHE_CONTROL, HeaderValue::from_static(self.cache_control)),
            (ETAG, self.etag.clone()),
            (VARY, HeaderValue::from_static("accept-encoding")),
        ];
        response.headers_mut().extend(fixed);
        if contains(headers, IF_NONE_MATCH, &self.etag) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        let body = match &self.gzip {
            Some(gzip) if contains(headers, ACCEPT_ENCODING, &HeaderValue::from_static("gzip")) => {
                response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                gzip
            }
            _ => &self.plain,
        };
        // The HTTP layer leaves the body out where the method is HEAD.
        *response.body_mut() = Body::from(body.clone());
        response
    }
}

/// Whether a comma-separated header has this item. Quality values are ignored: no browser refuses gzip by `q=0`.
fn contains(headers: &HeaderMap, name: axum::http::HeaderName, item: &HeaderValue) -> bool {
    let items = headers.get_all(name).into_iter().flat_map(|value| value.as_bytes().split(|b| *b == b','));
    items.map(|value| value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii()).any(|value| value == item)
}

fn gzip(bytes: &[u8]) -> Option<Bytes> {
    if bytes.len() < COMPRESS_BYTES_MIN {
        return None;
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).ok()?;
    let compressed = encoder.finish().ok()?;
    (compressed.len() < bytes.len()).then(|| compressed.into())
}

fn is_text(content_type: &str) -> bool {
    content_type.starts_with("text/") || content_type.contains("json") || content_type.contains("svg")
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "mp3" => "audio/mpeg",
        "ogg" | "opus" => "audio/ogg",
        "wav" => "audio/wav",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assets() -> Assets {
        Assets::new([
            ("index.html".to_owned(), b"<html></html>".to_vec()),
            ("assets/app-1a2b.js".to_owned(), b"let a = 1;\n".repeat(1_000)),
        ])
    }

    fn fetch(path: &str, headers: &[(axum::http::HeaderName, &str)]) -> Option<Response> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value"))).collect();
        assets().answer(&Method::GET, path, &headers)
    }

    #[test]
    fn rooms_and_the_start_page_are_the_same_document() {
        for path in ["/", "/r/daily", "/r/daily/"] {
            let response = fetch(path, &[]).expect("the page");
            assert_eq!(response.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
            assert_eq!(response.headers()[CACHE_CONTROL], "no-cache");
        }
        for path in ["/r/", "/r", "/r/a/b", "/x", "//", "/../Cargo.toml", "/assets/", ""] {
            assert!(fetch(path, &[]).is_none(), "{path}");
        }
    }

    #[test]
    fn who_opens_a_wrong_address_gets_the_page_and_a_program_a_line() {
        let headers = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().expect("a value"));
            let tag = fetch("/", &[]).expect("the page").headers()[ETAG].clone();
            headers.insert(IF_NONE_MATCH, tag);
            headers
        };
        let browser = headers("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
        for (method, headers, content_type) in [
            (Method::GET, &browser, "text/html; charset=utf-8"),
            (Method::POST, &browser, "text/plain; charset=utf-8"),
            (Method::GET, &headers("*/*"), "text/plain; charset=utf-8"),
        ] {
            let response = assets().not_found(&method, headers);
            assert_eq!(response.status(), StatusCode::NOT_FOUND);
            assert_eq!(response.headers()[CONTENT_TYPE], content_type);
        }
    }

    #[test]
    fn hashed_files_are_kept_for_good() {
        let response = fetch("/assets/app-1a2b.js", &[]).expect("the file");
        assert_eq!(response.headers()[CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(response.headers()[CONTENT_TYPE], "text/javascript; charset=utf-8");
        assert!(!response.headers().contains_key(CONTENT_ENCODING));
    }

    #[test]
    fn a_known_tag_needs_no_body() {
        let first = fetch("/", &[]).expect("the page");
        let tag = first.headers()[ETAG].to_str().expect("text");
        let second = fetch("/", &[(IF_NONE_MATCH, tag)]).expect("the page");
        assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
    }

    #[test]
    fn text_is_compressed_for_whoever_takes_it() {
        let response = fetch("/assets/app-1a2b.js", &[(ACCEPT_ENCODING, "br;q=1, gzip, deflate")]).expect("the file");
        assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
        assert_eq!(response.headers()[VARY], "accept-encoding");
    }

    #[test]
    fn a_web_client_that_was_built_is_embedded() {
        let built = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/dist/index.html"));
        assert_eq!(Dist::get("index.html").is_some(), built.exists());
    }

    #[test]
    fn without_a_web_client_the_page_says_how_to_build_it() {
        let assets = Assets::new([]);
        let response = assets.answer(&Method::GET, "/", &HeaderMap::new()).expect("a page");
        assert_eq!(response.status(), StatusCode::OK);
    }
}
