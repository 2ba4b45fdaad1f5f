// A stratlab client in C++: creates, watches and cancels campaigns, runs backtests.
//
// Usage: client create [DATA_SET] | watch CAMPAIGN [AFTER] | cancel CAMPAIGN | backtest FILE

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>

#include <grpcpp/grpcpp.h>

#include "google_rpc.pb.h"
#include "stratlab/v1/backtest_service.grpc.pb.h"
#include "stratlab/v1/campaign_service.grpc.pb.h"

using namespace stratlab::v1;

constexpr auto kDeadline = std::chrono::seconds(30);  // of calls with one answer
constexpr int kMaxAnswerBytes = 64 * 1024 * 1024;

std::string Setting(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::shared_ptr<grpc::ChannelCredentials> Credentials() {
  if (Setting("STRATLAB_CLIENT__ADDRESS").rfind("unix:", 0) == 0) {
    return grpc::InsecureChannelCredentials();  // private by its mode
  }
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = ReadFile(Setting("STRATLAB_CLIENT__CA"));
  tls.pem_private_key = ReadFile(Setting("STRATLAB_CLIENT__KEY"));
  tls.pem_cert_chain = ReadFile(Setting("STRATLAB_CLIENT__CERTIFICATE"));
  std::string token = ReadFile(Setting("STRATLAB_CLIENT__TOKEN_FILE"));
  token.erase(token.find_last_not_of(" \r\n") + 1);
  // Sends "authorization: Bearer TOKEN" with every call.
  return grpc::CompositeChannelCredentials(grpc::SslCredentials(tls),
                                           grpc::AccessTokenCredentials(token));
}

template <typename Service>
std::unique_ptr<typename Service::Stub> Connect() {
  grpc::ChannelArguments options;
  options.SetMaxReceiveMessageSize(kMaxAnswerBytes);
  return Service::NewStub(
      grpc::CreateCustomChannel(Setting("STRATLAB_CLIENT__ADDRESS"), Credentials(), options));
}

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
}

std::string RandomId() {
  std::random_device source;
  std::string id;
  for (int i = 0; i < 4; ++i) id += std::to_string(source()) + "-";
  return id;
}

grpc::Status Create(const std::string& data_set) {
  CreateCampaignRequest request;
  // A repeated call with the same request_id returns the same campaign.
  request.set_request_id(RandomId());
  CampaignSpec& spec = *request.mutable_spec();
  spec.set_display_name("from C++");
  spec.set_data_set(data_set);
  spec.add_markets()->add_symbols("IBM");
  spec.mutable_stop_rules()->set_max_iterations(50);
  spec.mutable_stop_rules()->mutable_max_wall_time()->set_seconds(3600);

  grpc::ClientContext context;
  SetDeadline(context);
  Campaign campaign;
  grpc::Status status = Connect<CampaignService>()->CreateCampaign(&context, request, &campaign);
  if (status.ok()) std::cout << campaign.name() << std::endl;
  return status;
}

grpc::Status Watch(const std::string& name, int64_t after) {
  WatchCampaignRequest request;
  request.set_name(name);
  request.set_after_event(after);

  auto stub = Connect<CampaignService>();
  grpc::ClientContext context;  // no deadline: the stream ends with the campaign
  auto stream = stub->WatchCampaign(&context, request);
  WatchCampaignResponse item;
  while (stream->Read(&item)) {
    const Event& event = item.event();
    std::cout << event.number() << " " << event.kind();
    const auto& fields = event.payload().fields();
    if (auto to = fields.find("to"); to != fields.end()) {
      std::cout << " " << to->second.string_value();
    }
    std::cout << std::endl;
  }
  return stream->Finish();
}

grpc::Status Cancel(const std::string& name) {
  CancelCampaignRequest request;
  request.set_name(name);
  grpc::ClientContext context;
  SetDeadline(context);
  Campaign campaign;
  grpc::Status status = Connect<CampaignService>()->CancelCampaign(&context, request, &campaign);
  if (status.ok()) std::cout << Campaign::State_Name(campaign.state()) << std::endl;
  return status;
}

grpc::Status Backtest(const std::string& path) {
  RunBacktestRequest request;
  request.set_source(ReadFile(path));
  request.add_symbols("IBM");
  (*request.mutable_parameters()->mutable_fields())["shares"].set_number_value(100);

  auto stub = Connect<BacktestService>();
  grpc::ClientContext context;
  auto stream = stub->RunBacktest(&context, request);
  RunBacktestResponse item;
  std::cout.setf(std::ios::fixed);
  std::cout.precision(2);
  while (stream->Read(&item)) {
    if (item.has_progress()) {
      std::cout << "progress " << item.progress().fraction() << std::endl;
      continue;
    }
    const Trial& trial = item.result().trial();
    std::cout << "outcome " << Outcome_Name(trial.outcome()) << "\n";
    std::cout << "fills " << trial.fills_size() << "\n";
    if (trial.equity_size() > 0) {
      std::cout << "equity " << trial.equity(trial.equity_size() - 1).value() << "\n";
    }
  }
  return stream->Finish();
}

const char* StatusName(grpc::StatusCode code) {
  static const char* const kNames[] = {
      "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
      "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
      "UNAUTHENTICATED"};
  return code >= 0 && code < static_cast<int>(std::size(kNames)) ? kNames[code] : "UNKNOWN";
}

// Prints what the server says about a failed call: reason and next step.
void Explain(const grpc::Status& status) {
  google::rpc::Status details;  // travels as grpc-status-details-bin
  google::rpc::ErrorInfo info;
  bool found = false;
  if (details.ParseFromString(status.error_details())) {
    for (const auto& detail : details.details()) found = found || detail.UnpackTo(&info);
  }
  std::cerr << StatusName(status.error_code()) << " " << (found ? info.reason() : "-") << ": "
            << status.error_message() << std::endl;
  if (found) std::cerr << "hint: " << info.metadata().at("hint") << std::endl;
}

int main(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  const std::string first = argc > 2 ? argv[2] : "";
  const std::string second = argc > 3 ? argv[3] : "";
  grpc::Status status;
  try {
    if (command == "create") {
      status = Create(first.empty() ? "us-daily" : first);
    } else if (command == "watch") {
      status = Watch(first, second.empty() ? 0 : std::stoll(second));
    } else if (command == "cancel") {
      status = Cancel(first);
    } else if (command == "backtest") {
      status = Backtest(first);
    } else {
      std::cerr << "usage: client create|watch|cancel|backtest [ARGUMENT]..." << std::endl;
      return 2;
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << std::endl;
    return 2;
  }
  if (status.ok()) return 0;
  Explain(status);
  return 1;
}
