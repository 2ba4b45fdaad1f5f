#!/usr/bin/env bash
# A stratlab client with buf curl and jq: creates, watches and cancels campaigns, runs backtests.
#
# Usage: client.sh create [DATA_SET] | watch CAMPAIGN [AFTER] | cancel CAMPAIGN | backtest FILE
set -euo pipefail

readonly ADDRESS="$STRATLAB_CLIENT__ADDRESS"
readonly CLIENTS="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
readonly PROTO="$CLIENTS/../../proto"
errors="$(mktemp)"
trap 'explain <"$errors"; rm -f "$errors"' EXIT

# call SERVICE/METHOD < request: JSON in, one JSON document per answer out.
call() {
  local options=(--protocol grpc --schema "$PROTO" --data @-)
  if [[ "$ADDRESS" == unix:* ]]; then # private by its mode
    buf curl "${options[@]}" --http2-prior-knowledge --unix-socket "${ADDRESS#unix:}" \
      "http://localhost/stratlab.v1.$1" 2>"$errors"
    return
  fi
  # Header, empty line, request: on stdin, because others can read a program's arguments.
  { printf 'authorization: Bearer %s\n\n' "$(<"$STRATLAB_CLIENT__TOKEN_FILE")"; cat; } |
    buf curl "${options[@]}" --header @- --cacert "$STRATLAB_CLIENT__CA" \
      --cert "$STRATLAB_CLIENT__CERTIFICATE" --key "$STRATLAB_CLIENT__KEY" \
      "https://$ADDRESS/stratlab.v1.$1" 2>"$errors"
}

# Prints what the server says about a failed call: reason and next step. buf curl leaves the
# details encoded, and ends with eight times the gRPC code.
explain() {
  local error info
  error="$(cat)"
  if ! jq -e .code <<<"$error" >/dev/null 2>&1; then # not from the server
    [[ -z "$error" ]] || echo "$error" >&2
    return
  fi
  info="$(jq -r '.details[0].value // "" | . + "=" * ((4 - length % 4) % 4)' <<<"$error" |
    base64 -d |
    buf convert "$CLIENTS/google_rpc.proto" --type google.rpc.ErrorInfo \
      --from -#format=binpb --to -#format=json)"
  jq -r --argjson info "$info" '
    "\(.code | ascii_upcase) \($info.reason // "-"): \(.message)",
    if $info.metadata.hint then "hint: \($info.metadata.hint)" else empty end' <<<"$error" >&2
}

random_id() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

create() {
  # A repeated call with the same requestId returns the same campaign.
  jq -n --arg data_set "${1:-us-daily}" --arg id "$(random_id)" '{
    requestId: $id,
    spec: {
      displayName: "from buf curl",
      dataSet: $data_set,
      markets: [{symbols: ["IBM"]}],
      stopRules: {maxIterations: 50, maxWallTime: "3600s"}
    }
  }' | call CampaignService/CreateCampaign | jq -r .name
}

watch() {
  jq -n --arg name "$1" --arg after "${2:-0}" '{name: $name, afterEvent: $after}' |
    call CampaignService/WatchCampaign |
    jq -r --unbuffered '.event | [.number, .kind, .payload.to // empty] | join(" ")'
}

cancel() {
  jq -n --arg name "$1" '{name: $name}' | call CampaignService/CancelCampaign | jq -r .state
}

backtest() {
  jq -Rs '{source: ., symbols: ["IBM"], parameters: {shares: 100}}' "$1" |
    call BacktestService/RunBacktest |
    jq -r --unbuffered '
      if .progress then "progress \(.progress.fraction // 0)" else
        .result.trial |
        "outcome \(.outcome)",
        "fills \(.fills // [] | length)",
        if .equity then "equity \(.equity[-1].value * 100 | round / 100)" else empty end
      end'
}

case "${1:-}" in
  create | watch | cancel | backtest) "$@" ;;
  *)
    echo "usage: client.sh create|watch|cancel|backtest [ARGUMENT]..." >&2
    exit 2
    ;;
esac
