@echo off
rem A double click sets the project up (once) and makes the demo report.
setlocal
chcp 65001 >nul
pushd "%~dp0"
rem Windows brings a "python" that only opens its shop; asking for the version tells the two apart.
set PYTHON=py
py --version >nul 2>nul
if not errorlevel 1 goto run
set PYTHON=python
python --version >nul 2>nul
if not errorlevel 1 goto run
echo Python was not found. Install Python 3.13 from python.org, then double-click this file again.
set CODE=1
goto finish
:run
%PYTHON% tcs.py demo
set CODE=%errorlevel%
:finish
popd
pause
exit /b %CODE%
