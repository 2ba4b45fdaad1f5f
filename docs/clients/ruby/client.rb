# A stratlab client in Ruby: creates, watches and cancels campaigns, runs backtests.
#
# Usage: ruby client.rb create [DATA_SET] | watch CAMPAIGN [AFTER] | cancel CAMPAIGN | backtest FILE
#
# The stubs are generated from the protos into a directory on the load path; see README.md.

require "grpc"
require "google/protobuf/well_known_types"
require "google/rpc/error_details_pb"
require "google/rpc/status_pb"
require "securerandom"
require "stratlab/v1/backtest_service_services_pb"
require "stratlab/v1/campaign_service_services_pb"

include Stratlab::V1

ADDRESS = ENV.fetch("STRATLAB_CLIENT__ADDRESS")
DEADLINE_SECONDS = 30 # of calls with one answer; streams last as long as they must
OPTIONS = { "grpc.max_receive_message_length" => 64 * 1024 * 1024 }.freeze

def credentials
  return :this_channel_is_insecure if ADDRESS.start_with?("unix:") # private by its mode

  token = File.read(ENV.fetch("STRATLAB_CLIENT__TOKEN_FILE")).strip
  tls = GRPC::Core::ChannelCredentials.new(
    File.read(ENV.fetch("STRATLAB_CLIENT__CA")),
    File.read(ENV.fetch("STRATLAB_CLIENT__KEY")),
    File.read(ENV.fetch("STRATLAB_CLIENT__CERTIFICATE"))
  )
  tls.compose(GRPC::Core::CallCredentials.new(->(_) { { authorization: "Bearer #{token}" } }))
end

def connect(service)
  service::Stub.new(ADDRESS, credentials, channel_args: OPTIONS)
end

def campaigns
  connect(CampaignService)
end

def deadline
  Time.now + DEADLINE_SECONDS
end

def create(data_set = "us-daily")
  spec = CampaignSpec.new(
    display_name: "from Ruby",
    data_set: data_set,
    markets: [MarketSet.new(symbols: ["IBM"])],
    stop_rules: StopRules.new(
      max_iterations: 50,
      max_wall_time: Google::Protobuf::Duration.new(seconds: 3600)
    )
  )
  # A repeated call with the same request_id returns the same campaign.
  request = CreateCampaignRequest.new(spec: spec, request_id: SecureRandom.uuid)
  puts campaigns.create_campaign(request, deadline: deadline).name
end

def watch(name, after = "0")
  request = WatchCampaignRequest.new(name: name, after_event: Integer(after))
  campaigns.watch_campaign(request).each do |item|
    event = item.event
    puts "#{event.number} #{event.kind} #{event.payload.to_h['to']}".strip
  end
end

def cancel(name)
  puts campaigns.cancel_campaign(CancelCampaignRequest.new(name: name), deadline: deadline).state
end

def backtest(file)
  request = RunBacktestRequest.new(
    source: File.read(file),
    symbols: ["IBM"],
    parameters: Google::Protobuf::Struct.from_hash("shares" => 100)
  )
  connect(BacktestService).run_backtest(request).each do |item|
    puts format("progress %.2f", item.progress.fraction) if item.progress
    next unless item.result

    trial = item.result.trial
    puts "outcome #{trial.outcome}"
    puts "fills #{trial.fills.size}"
    puts format("equity %.2f", trial.equity[-1].value) unless trial.equity.empty?
  end
end

# What the server says about a failed call: reason and next step.
def error_info(error)
  bytes = error.metadata["grpc-status-details-bin"] or return
  detail = Google::Rpc::Status.decode(bytes).details.find { |any| any.is(Google::Rpc::ErrorInfo) }
  detail&.unpack(Google::Rpc::ErrorInfo)
end

STATUS_NAMES = GRPC::Core::StatusCodes.constants.to_h do |name|
  [GRPC::Core::StatusCodes.const_get(name), name]
end.freeze

command, *arguments = ARGV
unless %w[create watch cancel backtest].include?(command)
  warn "usage: client.rb create|watch|cancel|backtest [ARGUMENT]..."
  exit 2
end

$stdout.sync = true
begin
  send(command, *arguments)
rescue GRPC::BadStatus => e
  info = error_info(e)
  warn "#{STATUS_NAMES[e.code]} #{info&.reason || '-'}: #{e.details}"
  warn "hint: #{info.metadata['hint']}" if info
  exit 1
end
