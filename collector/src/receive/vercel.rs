//! `/v1/push/vercel`: Vercel's log drains.
//!
//! A drain is signed: `x-vercel-signature` is the HMAC-SHA1 of the body in hexadecimal, under the secret that Vercel shows when the
//! drain is made. Before that Vercel asks whether the address is its user's: the answer has to carry `x-vercel-verify` with what
//! Vercel names. Vercel's "Log Drains" and "Validating requests", read in November 2026.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ring::hmac;
use secrecy::{ExposeSecret as _, SecretString};

use super::log_push;
use super::refusal::answer;
use super::{Receiver, Refusal};
use crate::parse::Format;

const VERIFY: HeaderName = HeaderName::from_static("x-vercel-verify");

/// `GET /v1/push/vercel`: whose address it is.
pub async fn verify(State(receiver): State<Receiver>) -> Response {
    with_mark(&receiver, StatusCode::OK.into_response())
}

/// `POST /v1/push/vercel`
pub async fn post(State(receiver): State<Receiver>, request: Request) -> Response {
    let secret = receiver.options.vercel.secret.clone();
    let signature = signature(request.headers());
    let check = move |body: &[u8]| check(secret.as_ref(), signature.as_deref(), body);
    let response = match log_push::take(&receiver, Format::Vercel, request, check).await {
        Ok(tally) => (StatusCode::OK, log_push::told(tally)).into_response(),
        Err(refusal) => answer(&refusal, receiver.options.retry_after_seconds),
    };
    with_mark(&receiver, response)
}

fn with_mark(receiver: &Receiver, mut response: Response) -> Response {
    if let Some(mark) = receiver.options.vercel.verify.as_deref().and_then(|mark| HeaderValue::from_str(mark).ok()) {
        response.headers_mut().insert(VERIFY, mark);
    }
    response
}

fn signature(headers: &HeaderMap) -> Option<Vec<u8>> {
    let hex = headers.get("x-vercel-signature")?.to_str().ok()?.trim();
    let digit = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn check(secret: Option<&SecretString>, signature: Option<&[u8]>, body: &[u8]) -> Result<(), Refusal> {
    let Some(secret) = secret else { return Ok(()) };
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.expose_secret().as_bytes());
    // Compares in constant time.
    let fits = signature.is_some_and(|signature| hmac::verify(&key, body, signature).is_ok());
    let expected = "expected `x-vercel-signature` to be the body's HMAC-SHA1 under `receive.vercel.secret`, found another or none";
    if fits { Ok(()) } else { Err(Refusal::NotAllowed(expected)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_rfc_2202() {
        let mut headers = HeaderMap::new();
        let secret = SecretString::from("Jefe");
        let body = b"what do ya want for nothing?";
        headers.insert("x-vercel-signature", HeaderValue::from_static("effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"));
        assert_eq!(check(Some(&secret), signature(&headers).as_deref(), body), Ok(()));
        assert!(check(Some(&secret), signature(&headers).as_deref(), b"what do ya want for something?").is_err());
        for broken in ["", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c7", "zz", "é"] {
            headers.insert("x-vercel-signature", HeaderValue::from_bytes(broken.as_bytes()).expect("bytes"));
            assert!(check(Some(&secret), signature(&headers).as_deref(), body).is_err(), "{broken}");
        }
        assert_eq!(check(None, None, body), Ok(()));
    }
}
