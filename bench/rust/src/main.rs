//! fetch URL IDS OUT: asks URL?id=… for each id, 256 at once, and writes one CSV row for each, in the order of the ids.
use chrono::DateTime;
use futures::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};
use std::error::Error;

const AT_ONCE: usize = 256;

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

type Failure = Box<dyn Error + Send + Sync>;

async fn ask(client: reqwest::Client, url: String, id: String) -> Result<Row, Failure> {
    let response = client.get(&url).query(&[("id", &id)]).send().await?.error_for_status()?;
    let reply: Reply = response.json().await?;
    let row = Row {
        temperature: reply.main.temp * 9.0 / 5.0 + 32.0,
        humidity: reply.main.humidity,
        description: reply.weather.into_iter().next().ok_or("no weather")?.description,
        observed_at: DateTime::from_timestamp(reply.dt, 0).ok_or("no time")?.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    };
    if !(-130.0..=140.0).contains(&row.temperature) || !(0..=100).contains(&row.humidity) {
        return Err(format!("{id}: out of range").into());
    }
    Ok(row)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let args: Vec<String> = std::env::args().collect();
    let [_, url, ids, out] = args.as_slice() else { return Err("usage: fetch URL IDS OUT".into()) };
    let client = reqwest::Client::builder().pool_max_idle_per_host(AT_ONCE).build()?;
    let ids = csv::Reader::from_path(ids)?.into_records().map(|r| r.map(|r| r[0].to_string())).collect::<Result<Vec<_>, _>>()?;
    let mut writer = csv::Writer::from_path(out)?;
    let mut rows = stream::iter(ids).map(|id| ask(client.clone(), url.clone(), id)).buffered(AT_ONCE);
    while let Some(row) = rows.next().await {
        writer.serialize(row?)?;
    }
    writer.flush()?;
    Ok(())
}
