#!/bin/bash
echo bash > "${snakemake_output[0]}"
