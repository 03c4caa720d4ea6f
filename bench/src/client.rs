//! A client that costs little: requests are ready-made bytes, answers are read and no more.

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One kept-alive connection.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects to `address`.
    pub async fn connect(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 << 10) })
    }

    /// Sends a request and returns its answer's body; anything but 200 is an error.
    pub async fn call(&mut self, request: &[u8]) -> anyhow::Result<&[u8]> {
        let (status, body) = self.exchange(request).await?;
        if status != 200 {
            bail!("answered {status}: {}", String::from_utf8_lossy(body));
        }
        Ok(body)
    }

    /// Sends a request and returns its answer's status and body. After an error nobody knows
    /// whether the request was served, and the connection is of no more use.
    pub async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                bail!("the server closed the connection");
            }
            if let Some((status, start)) = complete(&self.buffer)? {
                return Ok((status, &self.buffer[start..]));
            }
        }
    }

    /// Bytes of the last answer, head and body.
    pub fn answered(&self) -> usize {
        self.buffer.len()
    }

    /// Sends a request and returns its answer as JSON.
    pub async fn call_json(&mut self, request: &[u8]) -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(self.call(request).await?)?)
    }
}

/// The status and where the body starts, once all of it is there.
fn complete(buffer: &[u8]) -> anyhow::Result<Option<(u16, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = response.parse(buffer)? else { return Ok(None) };
    let length = response.headers.iter().find(|it| it.name.eq_ignore_ascii_case("content-length"));
    let length = match length {
        Some(header) => str::from_utf8(header.value)?.parse::<usize>()?,
        None => 0,
    };
    if buffer.len() < start + length {
        return Ok(None);
    }
    Ok(Some((response.code.unwrap_or(0), start)))
}

/// A request as an SDK writes it: AWS JSON 1.0, with the headers of a signed one.
pub fn request(path: &str, operation: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\n\
         Host: 127.0.0.1\r\n\
         Content-Type: application/x-amz-json-1.0\r\n\
         X-Amz-Target: AmazonSQS.{operation}\r\n\
         X-Amz-Date: 20260101T000000Z\r\n\
         x-amzn-query-mode: true\r\n\
         User-Agent: tidemill-bench\r\n\
         Authorization: AWS4-HMAC-SHA256 \
         Credential=AKIDEXAMPLE/20260101/us-east-1/sqs/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date;x-amz-target, \
         Signature=0000000000000000000000000000000000000000000000000000000000000000\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Calls an operation of SQS.
pub async fn call(client: &mut Client, operation: &str, body: &Value) -> anyhow::Result<Value> {
    let answer = client.call(&request("/", operation, &body.to_string())).await?;
    if answer.is_empty() {
        return Ok(Value::Null);
    }
    Ok(serde_json::from_slice(answer)?)
}
