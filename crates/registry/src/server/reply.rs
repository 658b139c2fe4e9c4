//! Answers: their headers, and refusals in the specification's words.

use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::body::Body;
use super::names::NameError;
use super::storage::StorageError;

/// What a request gets.
pub(super) type Answer = Result<Response<Body>, Refusal>;

pub(super) const DIGEST: &str = "docker-content-digest";

/// An answer without a body.
pub(super) fn empty(status: StatusCode, headers: &[(&'static str, &str)]) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    if status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    add(&mut response, headers);
    response
}

/// An answer with bytes.
pub(super) fn full(status: StatusCode, media_type: &str, bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    add(&mut response, &[("content-type", media_type), ("content-length", &bytes.len().to_string())]);
    *response.body_mut() = Body::bytes(bytes);
    response
}

pub(super) fn json(document: &Value) -> Response<Body> {
    full(StatusCode::OK, "application/json", document.to_string().into_bytes())
}

/// Sets headers; a value that cannot be one, such as a media type with a line break, is left out.
pub(super) fn add(response: &mut Response<Body>, headers: &[(&'static str, &str)]) {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
}

/// The specification's error codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    SizeInvalid,
    Unauthorized,
    Unsupported,
    /// Not in the specification, which has none for what is the server's own fault; Docker's registry says so too.
    Unknown,
}

impl Code {
    fn word(self) -> &'static str {
        match self {
            Code::BlobUnknown => "BLOB_UNKNOWN",
            Code::BlobUploadInvalid => "BLOB_UPLOAD_INVALID",
            Code::BlobUploadUnknown => "BLOB_UPLOAD_UNKNOWN",
            Code::DigestInvalid => "DIGEST_INVALID",
            Code::ManifestBlobUnknown => "MANIFEST_BLOB_UNKNOWN",
            Code::ManifestInvalid => "MANIFEST_INVALID",
            Code::ManifestUnknown => "MANIFEST_UNKNOWN",
            Code::NameInvalid => "NAME_INVALID",
            Code::NameUnknown => "NAME_UNKNOWN",
            Code::SizeInvalid => "SIZE_INVALID",
            Code::Unauthorized => "UNAUTHORIZED",
            Code::Unsupported => "UNSUPPORTED",
            Code::Unknown => "UNKNOWN",
        }
    }
}

/// A request that is not done.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    errors: Vec<Value>,
    headers: Vec<(&'static str, String)>,
    /// What only the log may say.
    pub(super) fault: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: Code, message: impl Into<String>) -> Refusal {
        let error = json!({ "code": code.word(), "message": message.into() });
        Refusal { status, errors: vec![error], headers: Vec::new(), fault: None }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Refusal {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn unauthorized() -> Refusal {
        Refusal::new(StatusCode::UNAUTHORIZED, Code::Unauthorized, "authentication required")
            .with("www-authenticate", "Basic realm=\"kist registry\", charset=\"UTF-8\"")
    }

    pub(super) fn unsupported(message: &str, allow: &str) -> Refusal {
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported, message).with("allow", allow)
    }

    /// For the log.
    pub(super) fn log(&self) -> &str {
        self.fault.as_deref().or_else(|| self.errors.first()?["message"].as_str()).unwrap_or_default()
    }

    pub(super) fn respond(&self) -> Response<Body> {
        let body = json!({ "errors": self.errors }).to_string().into_bytes();
        let mut response = full(self.status, "application/json", body);
        for (name, value) in &self.headers {
            add(&mut response, &[(name, value)]);
        }
        response
    }
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Refusal {
        let (status, code) = match &error {
            NameError::Repository(_) => (StatusCode::BAD_REQUEST, Code::NameInvalid),
            NameError::Tag(_) => (StatusCode::BAD_REQUEST, Code::ManifestInvalid),
            NameError::Digest(_) => (StatusCode::BAD_REQUEST, Code::DigestInvalid),
            NameError::Upload => (StatusCode::NOT_FOUND, Code::BlobUploadUnknown),
        };
        Refusal::new(status, code, error.to_string())
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Refusal {
        let (status, code) = match &error {
            StorageError::NameUnknown(_) => (StatusCode::NOT_FOUND, Code::NameUnknown),
            StorageError::ManifestUnknown(_) => (StatusCode::NOT_FOUND, Code::ManifestUnknown),
            StorageError::BlobUnknown(_) => (StatusCode::NOT_FOUND, Code::BlobUnknown),
            StorageError::UploadUnknown(_) => (StatusCode::NOT_FOUND, Code::BlobUploadUnknown),
            StorageError::UploadBusy(_) => (StatusCode::CONFLICT, Code::BlobUploadInvalid),
            StorageError::Mismatch { .. } => (StatusCode::BAD_REQUEST, Code::DigestInvalid),
            StorageError::ManifestInvalid(_) => (StatusCode::BAD_REQUEST, Code::ManifestInvalid),
            StorageError::BlobsMissing(missing) => {
                let one = |digest| json!({ "code": Code::ManifestBlobUnknown.word(), "message": error.to_string(), "detail": digest });
                let errors = missing.iter().map(one).collect();
                return Refusal { status: StatusCode::BAD_REQUEST, errors, headers: Vec::new(), fault: None };
            }
            StorageError::Unsupported(_) => (StatusCode::METHOD_NOT_ALLOWED, Code::Unsupported),
            StorageError::Io { source, .. } => {
                let full = matches!(source.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
                let status = if full { StatusCode::INSUFFICIENT_STORAGE } else { StatusCode::INTERNAL_SERVER_ERROR };
                // Paths of the server are nobody's business.
                let refusal = Refusal::new(status, Code::Unknown, "the registry's storage failed");
                return Refusal { fault: Some(format!("{error}: {source}")), ..refusal };
            }
            StorageError::Damaged(_) => {
                let refusal =
                    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, Code::Unknown, "the registry's storage failed");
                return Refusal { fault: Some(error.to_string()), ..refusal };
            }
        };
        Refusal::new(status, code, error.to_string())
    }
}
