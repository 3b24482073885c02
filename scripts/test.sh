#!/usr/bin/env bash
# ./dev test: x
