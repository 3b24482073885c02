# fixed_addresses: a command prefix that switches address randomization off where that is allowed. g++-12's
# sanitizers cannot place their shadow memory when the kernel spreads mappings over 32 bits (vm.mmap_rnd_bits).
# shellcheck shell=bash disable=SC2034

fixed_addresses=()
if setarch "$(uname -m)" -R true 2>/dev/null; then fixed_addresses=(setarch "$(uname -m)" -R --); fi
