#!/usr/bin/env bash
# ./dev lint: x
