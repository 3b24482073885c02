#!/usr/bin/env bash
# ./dev fresh: x
