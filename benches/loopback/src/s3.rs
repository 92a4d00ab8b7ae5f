//! As much of S3 as an upload asks for (Amazon S3 API Reference). What is put is counted and thrown away.

/// What answers one call.
pub struct Answer {
    pub status: &'static str,
    pub headers: &'static str,
    pub body: &'static str,
}

const ETAG: &str = "etag: \"00000000000000000000000000000000\"\r\n";

/// `first` is the request's first line: `PUT /bucket/key?partNumber=1 HTTP/1.1`. None: it is no call to S3.
pub fn answer(first: &str) -> Option<Answer> {
    let mut words = first.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let is_object = path.trim_matches('/').contains('/');
    let ok = |headers, body| Some(Answer { status: "200 OK", headers, body });
    match (method, is_object) {
        ("PUT", true) => ok(ETAG, ""),
        ("HEAD", false) => ok("", ""),
        ("HEAD", true) => Some(Answer { status: "404 Not Found", headers: "", body: "" }),
        ("POST", true) if query.contains("uploadId=") => ok("", COMPLETED),
        ("POST", true) if query.contains("uploads") => ok("", BEGUN),
        ("DELETE", true) => Some(Answer { status: "204 No Content", headers: "", body: "" }),
        ("GET", false) if query.contains("uploads") => ok("", NO_UPLOADS),
        _ => None,
    }
}

const BEGUN: &str = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
const COMPLETED: &str = "<CompleteMultipartUploadResult><ETag>\"0-1\"</ETag></CompleteMultipartUploadResult>";
const NO_UPLOADS: &str = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_apart_by_method_and_query() {
        let status = |first: &str| answer(first).map(|answer| (answer.status, answer.body.is_empty()));
        assert_eq!(status("PUT /b/k?partNumber=1&uploadId=u HTTP/1.1"), Some(("200 OK", true)));
        assert_eq!(status("POST /b/k?uploads HTTP/1.1"), Some(("200 OK", false)));
        assert_eq!(status("GET /b?prefix=k&uploads HTTP/1.1"), Some(("200 OK", false)));
        assert_eq!(status("POST / HTTP/1.1"), None);
    }
}
