include("$(MPY_DIR)/extmod/asyncio")
freeze(".", ("_boot.py", "_board.py", "_computer.py"), opt=3)
