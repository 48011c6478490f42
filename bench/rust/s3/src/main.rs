//! s3 API BUCKET KEY: asks API?id=0000001 to 5 at once, takes four fields out of each reply, converts, and puts the rows as
//! one CSV object, signed. Keys, region and endpoint come from the environment, as does the file of trusted certificates
//! (AWS_CA_BUNDLE), beside which nothing else is trusted.
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    sign, PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
};
use aws_sigv4::sign::v4;
use chrono::DateTime;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use std::{env, error::Error, time::SystemTime};

type Failure = Box<dyn Error>;

#[derive(Deserialize)]
struct Reply {
    main: Main,
    weather: Vec<Weather>,
    dt: i64,
}

#[derive(Deserialize)]
struct Main {
    temp: f64,
    humidity: i64,
}

#[derive(Deserialize)]
struct Weather {
    description: String,
}

#[derive(Serialize)]
struct Row {
    temperature: f64,
    humidity: i64,
    description: String,
    observed_at: String,
}

async fn ask(client: &reqwest::Client, api: &str, id: usize) -> Result<Row, Failure> {
    let response = client.get(format!("{api}?id={id:07}")).send().await?.error_for_status()?;
    let reply: Reply = response.json().await?;
    Ok(Row {
        temperature: reply.main.temp * 9.0 / 5.0 + 32.0,
        humidity: reply.main.humidity,
        description: reply.weather.into_iter().next().ok_or("no weather")?.description,
        observed_at: DateTime::from_timestamp(reply.dt, 0).ok_or("no time")?.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    })
}

async fn put(client: &reqwest::Client, url: &str, body: Vec<u8>) -> Result<(), Failure> {
    let identity = Credentials::from_keys(env::var("AWS_ACCESS_KEY_ID")?, env::var("AWS_SECRET_ACCESS_KEY")?, None).into();
    let region = env::var("AWS_REGION")?;
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    let builder = v4::SigningParams::builder().identity(&identity).region(&region).name("s3");
    let params = builder.time(SystemTime::now()).settings(settings).build()?.into();
    let kind = [("content-type", "text/csv")];
    let signable = SignableRequest::new("PUT", url, kind.into_iter(), SignableBody::Bytes(&body))?;
    let (signed, _) = sign(signable, &params)?.into_parts();
    let mut request = client.put(url).header("content-type", "text/csv").body(body);
    for (name, value) in signed.headers() {
        request = request.header(name, value);
    }
    request.send().await?.error_for_status()?;
    Ok(())
}

fn client(api: &str) -> Result<reqwest::Client, Failure> {
    let mut builder = reqwest::Client::builder();
    if let (true, Ok(path)) = (api.starts_with("https:"), env::var("AWS_CA_BUNDLE")) {
        builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(&std::fs::read(path)?)?);
    }
    Ok(builder.build()?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = env::args().collect();
    let [_, api, bucket, key] = args.as_slice() else { return Err("usage: s3 API BUCKET KEY".into()) };
    let client = client(api)?;
    let rows = try_join_all((1..=5).map(|id| ask(&client, api, id))).await?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in &rows {
        writer.serialize(row)?;
    }
    put(&client, &format!("{}/{bucket}/{key}", env::var("AWS_ENDPOINT_URL")?), writer.into_inner()?).await
}
