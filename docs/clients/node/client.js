// A stratlab client in Node: creates, watches and cancels campaigns, runs backtests.
//
// Usage: node client.js create [DATA_SET] | watch CAMPAIGN [AFTER] | cancel CAMPAIGN | backtest FILE

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const definitions = protoLoader.loadSync(
  [
    "stratlab/v1/campaign_service.proto",
    "stratlab/v1/backtest_service.proto",
    "google_rpc.proto",
  ],
  {
    includeDirs: [path("../../../proto"), path("..")],
    keepCase: true,
    longs: Number,
    enums: String,
    oneofs: true,
    defaults: true,
  },
);
const { CampaignService, BacktestService } = grpc.loadPackageDefinition(definitions).stratlab.v1;

const DEADLINE_MS = 30_000; // of calls with one answer; streams last as long as they must
const OPTIONS = { "grpc.max_receive_message_length": 64 * 1024 * 1024 };
const env = process.env;
const ADDRESS = env.STRATLAB_CLIENT__ADDRESS;

function credentials() {
  if (ADDRESS.startsWith("unix:")) return grpc.credentials.createInsecure(); // private by its mode
  const token = readFileSync(env.STRATLAB_CLIENT__TOKEN_FILE, "utf8").trim();
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  return grpc.credentials.combineChannelCredentials(
    grpc.credentials.createSsl(
      readFileSync(env.STRATLAB_CLIENT__CA),
      readFileSync(env.STRATLAB_CLIENT__KEY),
      readFileSync(env.STRATLAB_CLIENT__CERTIFICATE),
    ),
    grpc.credentials.createFromMetadataGenerator((_, done) => done(null, metadata)),
  );
}

const connect = (Service) => new Service(ADDRESS, credentials(), OPTIONS);

function call(client, method, request) {
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + DEADLINE_MS;
    client[method](request, { deadline }, (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
  });
}

async function create(dataSet = "us-daily") {
  const spec = {
    display_name: "from Node",
    data_set: dataSet,
    markets: [{ symbols: ["IBM"] }],
    stop_rules: { max_iterations: 50, max_wall_time: { seconds: 3600 } },
  };
  // A repeated call with the same request_id returns the same campaign.
  const request = { spec, request_id: randomUUID() };
  const campaign = await call(connect(CampaignService), "CreateCampaign", request);
  console.log(campaign.name);
}

async function watch(name, after = "0") {
  const request = { name, after_event: Number(after) };
  for await (const { event } of connect(CampaignService).WatchCampaign(request)) {
    const state = event.payload.fields.to?.stringValue ?? "";
    console.log(`${event.number} ${event.kind} ${state}`.trim());
  }
}

async function cancel(name) {
  const campaign = await call(connect(CampaignService), "CancelCampaign", { name });
  console.log(campaign.state);
}

async function backtest(file) {
  const request = {
    source: readFileSync(file, "utf8"),
    symbols: ["IBM"],
    parameters: { fields: { shares: { numberValue: 100 } } },
  };
  for await (const item of connect(BacktestService).RunBacktest(request)) {
    if (item.progress) console.log(`progress ${item.progress.fraction.toFixed(2)}`);
    if (item.result) {
      const { outcome, fills, equity } = item.result.trial;
      console.log(`outcome ${outcome}`);
      console.log(`fills ${fills.length}`);
      if (equity.length > 0) console.log(`equity ${equity.at(-1).value.toFixed(2)}`);
    }
  }
}

// What the server says about a failed call: reason and next step.
function errorInfo(error) {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  if (!bytes) return undefined;
  const { details } = definitions["google.rpc.Status"].deserialize(bytes);
  const detail = details.find(({ type_url }) => type_url.endsWith("/google.rpc.ErrorInfo"));
  return detail && definitions["google.rpc.ErrorInfo"].deserialize(detail.value);
}

const commands = { create, watch, cancel, backtest };
const [command, ...args] = process.argv.slice(2);
if (!Object.hasOwn(commands, command ?? "")) {
  console.error("usage: client.js create|watch|cancel|backtest [ARGUMENT]...");
  process.exit(2);
}
try {
  await commands[command](...args);
} catch (error) {
  if (!(error.metadata instanceof grpc.Metadata)) throw error;
  const info = errorInfo(error);
  console.error(`${grpc.status[error.code]} ${info?.reason ?? "-"}: ${error.details}`);
  if (info) console.error(`hint: ${info.metadata.hint}`);
  process.exitCode = 1;
}
