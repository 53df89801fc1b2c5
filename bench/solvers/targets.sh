#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The table of what the solvers must reach: our solver and its peers on the same
# instances, in one run, as process CPU seconds of one thread.
#
#   bench/solvers/targets.sh BUILD DATA [PEER_LIMIT_S] > targets.txt
#
# BUILD: a build folder that holds bench/solvers/solver_bench. DATA: a folder with
# qkp/, bqp/ and qplib/; without it those groups are left out. Peers get
# PEER_LIMIT_S seconds (10) on the first seed or instance only; a ratio is theirs
# over ours there, with ">" where the peer did not prove the optimum in time.
set -euo pipefail
bench="$1/bench/solvers/solver_bench"
data="$2"
peer_limit="${3:-10}"
lines="$(mktemp)"
trap 'rm -f "$lines"' EXIT

# group TITLE TARGET LIMIT_S OURS PEERS ARGUMENTS...: one row.
group() {
  local title="$1" target="$2" limit="$3" ours="$4" peers="$5"
  shift 5
  printf '\n== %s (must: %s)\n' "$title" "$target"
  "$bench" "$@" --solvers "$ours" --time-limit "$limit" | tee "$lines"
  local summary
  summary="$(grep '^# ' "$lines" | head -1 | sed 's/^# //')"
  printf '@ %-34s | %-28s | %s\n' "$title" "$target" "$summary"
  [ -n "$peers" ] || return 0
  local first
  first="$(awk 'NR == 2 { print $9 }' "$lines")"
  local name
  name="$(awk 'NR == 2 { print $1 }' "$lines")"
  local one=(--seeds 1)
  case " $* " in *" --folder "*) one+=(--filter "$name") ;; esac
  "$bench" "$@" "${one[@]}" --solvers "$peers" --time-limit "$peer_limit" 2>&1 |
    tee "$lines"
  awk -v ours="$first" '
    $4 == "optimal" { printf "@     %-17s %8.3f s, ratio %.1f\n", $2, $9, $9 / ours }
    $4 == "feasible" && $7 != "inf" { printf "@     %-17s gap %g%% after %.1f s, ratio > %.0f\n", $2, $7, $9, $9 / ours }
    $4 == "feasible" && $7 == "inf" { printf "@     %-17s target after %s s, ratio %.1f\n", $2, $10, $9 / ours }
    $4 ~ /^no_/ { printf "@     %-17s no plan after %.1f s\n", $2, $9 }
  ' "$lines"
}

mip="cbc,glpk,bonmin"
forms="cbc,cbc-mccormick,cbc-glover,cbc-rlt,glpk,bonmin"
for ratio in 0.3 1 10; do
  group "coop n=224 ratio $ratio" "median 0.03, worst 0.2" 10 branch-and-bound \
    "$([ "$ratio" = 1 ] && echo "$forms" || echo "$mip")" \
    --generate coop --units 224 --ratio "$ratio" --seeds 20
done
group "coop n=224 ratio 10, not shrunk" "median 3" 20 branch-and-bound "$mip" \
  --generate coop --units 224 --ratio 10 --shrink 0 --seeds 5
group "coop n=512" "3" 20 branch-and-bound cbc --generate coop --units 512 --seeds 3
group "coop n=1024" "10" 20 branch-and-bound "" --generate coop --units 1024 --seeds 3
group "coop n=2048" "gap 0.15% in 30" 30 branch-and-bound "" --generate coop --units 2048 --seeds 1
group "one-hot 112x4" "0.1" 10 branch-and-bound "$mip" --generate onehot --units 112 --seeds 5
group "one-hot 112x4 ratio 10" "0.1" 10 branch-and-bound "" --generate onehot --units 112 --ratio 10 --seeds 5
group "one-hot 224x5" "3" 10 branch-and-bound cbc --generate onehot --units 224 --options 5 --seeds 5
group "one-hot 512x4" "2" 10 branch-and-bound "" --generate onehot --units 512 --seeds 3
group "one-hot 1024x4" "gap 0.2% in 40" 40 branch-and-bound "" --generate onehot --units 1024 --seeds 1
for ratio in 1 10; do
  group "indefinite n=64 ratio $ratio" "0.2" 20 branch-and-bound "$mip" \
    --generate indefinite --units 64 --ratio "$ratio" --seeds 10
  group "indefinite n=112 ratio $ratio" "3 for 95%" 20 branch-and-bound "" \
    --generate indefinite --units 112 --ratio "$ratio" --seeds 10
  group "indefinite n=224 ratio $ratio" "15" 15 branch-and-bound "" \
    --generate indefinite --units 224 --ratio "$ratio" --seeds 2
  group "one-hot indefinite 64x4 ratio $ratio" "median 10" 20 branch-and-bound "" \
    --generate onehot-indefinite --units 64 --ratio "$ratio" --seeds 4
done
group "low rank 2,000 x 100" "0.15% in 30" 30 auto "" --generate coop-lowrank --units 2000 --seeds 1
group "low rank 20,000 x 100" "0.15% in 120" 120 auto "" --generate coop-lowrank --units 20000 --seeds 1
group "separable 1,000 x 6" "1" 10 dp "cbc,glpk,branch-and-bound" \
  --generate separable --units 1000 --options 6 --seeds 5
if [ -d "$data" ]; then
  group "78 QKP, anneal" "10 of 10, median 0.002" 1 anneal tabu --folder "$data/qkp" --seeds 10 --until-best
  group "QKP n=100" "each 5" 20 lagrangian-qkp "$mip" --folder "$data/qkp" --filter jeu_100_
  group "QKP n=200" "90% in 20" 20 lagrangian-qkp "" --folder "$data/qkp" --filter jeu_200_
  group "165 BQP, tabu" "best in 0.5" 0.5 tabu "" --folder "$data/bqp" --until-best
  group "15 QPLIB, anneal" "best in 0.1" 0.1 anneal "" --folder "$data/qplib" --until-best
  group "gka10d" "10" 20 branch-and-bound "" --folder "$data/bqp" --filter gka10d
  group "bqp100-1" "6" 20 branch-and-bound "" --folder "$data/bqp" --filter bqp100-1.
  group "QPLIB_0633" "2" 20 branch-and-bound "$mip" --folder "$data/qplib" --filter 0633
  group "QPLIB_3834" "0.5" 20 branch-and-bound "$mip" --folder "$data/qplib" --filter 3834
fi
